import { homedir } from 'node:os'
import { z } from 'zod'
import type { ModelType } from '../core/streams.ts'
import { printable } from './problem.ts'

/**
 * The kinds of keys that a spec is made of. Each function here makes the zod type of one key, with its default, and
 * registers what people are told about it: docs/spec.md, `kineo spec explain` and the app's Advanced drawer all read
 * that one text.
 */

/** The commands that read a spec. */
export type SpecCommand = 'train' | 'evaluate' | 'inference' | 'export'

/** What shape of value a key takes; `number` is any real number, `fraction` one from 0 to 1. */
export type KeyKind = 'number' | 'integer' | 'fraction' | 'choice' | 'flag' | 'path' | 'text' | 'list' | 'map'

/** What a person is told about a key. */
export interface KeyText {
  /** What the key does, in one plain sentence. */
  meaning: string
  /** How this differs from TAO, where it does. */
  tao?: string
  /** True for a key that TAO does not have. */
  own?: true
  /** Model types that the key concerns; all when left out. */
  modelTypes?: readonly ModelType[]
  /** Commands that read the key; those of its section when left out. */
  commands?: readonly SpecCommand[]
  /** Other keys and the values that they must have for this one to take effect. */
  onlyWith?: Readonly<Record<string, readonly string[]>>
}

/** A key's text together with what its kind says. */
export interface KeyFacts extends KeyText {
  kind: KeyKind
  /** Which values are right, such as `a whole number of 1 or more`. */
  rule: string
  choices: readonly string[]
}

export interface SectionText {
  meaning: string
  commands: readonly SpecCommand[]
}

export const keyFacts = z.registry<KeyFacts>()
export const sectionTexts = z.registry<SectionText>()

function key<T extends z.ZodType>(
  schema: T,
  facts: Omit<KeyFacts, 'choices'>,
  choices: readonly string[] = [],
): T {
  keyFacts.add(schema, { ...facts, choices })
  return schema
}

/** A group of keys; one that is left out has all its defaults. */
export function section<T extends z.ZodRawShape>(shape: T, text: SectionText) {
  const schema = z
    .strictObject(shape, { error: (issue) => `must be a group of keys, not ${show(issue.input)}` })
    .prefault({} as never)
  sectionTexts.add(schema, text)
  return schema
}

/** One of `values`; one of `notBuilt`, which TAO has, is told apart from a wrong one. */
export function choice<const T extends readonly string[]>(
  values: T,
  standard: T[number],
  text: KeyText,
  notBuilt: readonly string[] = [],
) {
  const rule = orList(values)
  const schema = z
    .enum(values, {
      error: (issue) =>
        typeof issue.input === 'string' && notBuilt.includes(issue.input)
          ? `${issue.input} is not supported yet (this version: ${values.join(', ')})`
          : `must be ${rule}, not ${show(issue.input)}`,
    })
    .default(standard as never)
  return key(schema, { ...text, kind: 'choice', rule }, values)
}

/** A file or folder; empty and TAO's `???` mean that none is given, which is null. */
export function path(text: KeyText) {
  return key(pathText().nullable().default(null), { ...text, kind: 'path', rule: 'a path' })
}

/** A file or folder that always has a value. */
export function pathOr(standard: string, text: KeyText) {
  const schema = pathText()
    .nullable()
    .default(null)
    .transform((given) => given ?? standard)
  return key(schema, { ...text, kind: 'path', rule: 'a path' })
}

function pathText() {
  return z
    .string({ error: (issue) => `must be a path, not ${show(issue.input)}` })
    .refine((value) => !value.includes('\0'), { error: 'must be a path, not text with a zero byte in it' })
    .transform((value) => (noPath.has(value) ? null : fromHome(value)))
}

/** What stands for a path that is not given: OmegaConf's mark, and the one in NVIDIA's tutorial specs. */
const noPath: ReadonlySet<string> = new Set(['', '???', '??'])

/** `~/videos` as the shell reads it. */
function fromHome(value: string): string {
  return value === '~' || value.startsWith('~/') ? homedir() + value.slice(1) : value
}

/** A word that must not be shown: problems with it do not quote it. */
export function secret(text: KeyText) {
  const schema = z
    .string({ error: () => 'must be text; put it in quotes' })
    .transform((value) => (noPath.has(value) ? null : value))
    .nullable()
    .default(null)
  return key(schema, { ...text, kind: 'text', rule: 'text' })
}

/** PyYAML, which TAO reads specs with, takes these for booleans; YAML 1.2 takes them for text. */
const oldBooleans = new Map([
  ['yes', true],
  ['on', true],
  ['no', false],
  ['off', false],
])

export function flag(standard: boolean, text: KeyText) {
  const schema = z
    .preprocess(
      (value) => (typeof value === 'string' ? (oldBooleans.get(value.toLowerCase()) ?? value) : value),
      z.boolean({ error: (issue) => `must be true or false, not ${show(issue.input)}` }),
    )
    .default(standard)
  return key(schema, { ...text, kind: 'flag', rule: 'true or false' })
}

function numberType(rule: string, accepts: (value: number) => boolean) {
  const error = (issue: { input?: unknown }): string => `must be ${rule}, not ${show(issue.input)}`
  return z.number({ error }).refine((value) => Number.isFinite(value) && accepts(value), { error })
}

/** A real number for which `accepts` holds; `rule` says so in words, such as `above 0`. */
export function number(rule: string, accepts: (value: number) => boolean, standard: number, text: KeyText) {
  return key(numberType(rule, accepts).default(standard), { ...text, kind: 'number', rule })
}

/** A whole number from `least` to `most`. */
export function integer(least: number, standard: number, text: KeyText, most = Number.MAX_SAFE_INTEGER) {
  const rule =
    most === Number.MAX_SAFE_INTEGER
      ? `a whole number of ${least} or more`
      : `a whole number from ${least} to ${most}`
  const accepts = (value: number): boolean => Number.isSafeInteger(value) && value >= least && value <= most
  return key(numberType(rule, accepts).default(standard), { ...text, kind: 'integer', rule })
}

/** A number from 0 to 1, with `below: true` below 1. */
export function fraction(standard: number, text: KeyText, { below = false } = {}) {
  const rule = below ? '0 or more and below 1' : 'between 0 and 1'
  const accepts = (value: number): boolean => value >= 0 && (below ? value < 1 : value <= 1)
  return key(numberType(rule, accepts).default(standard), { ...text, kind: 'fraction', rule })
}

export function notNegative(standard: number, text: KeyText) {
  return number('0 or more', (value) => value >= 0, standard, text)
}

export function positive(standard: number, text: KeyText) {
  return number('above 0', (value) => value > 0, standard, text)
}

/** A list of numbers for which `accepts` holds; `rule` says so in words, such as `a list of epochs`. */
export function numberList(
  rule: string,
  accepts: (list: number[]) => boolean,
  standard: number[],
  text: KeyText,
) {
  const error = (issue: { input?: unknown }): string => `must be ${rule}, not ${show(issue.input)}`
  const schema = z
    .array(z.number({ error }), { error })
    .refine((list) => list.every(Number.isFinite) && accepts(list), { error })
    .default(standard)
  return key(schema, { ...text, kind: 'list', rule })
}

/** Mean or standard deviation for each channel, or one for all. */
export function channelList(
  channels: number,
  accepts: 'any' | 'positive',
  standard: number[],
  text: KeyText,
) {
  const rule = `a list of 1 or ${channels} numbers${accepts === 'positive' ? ' above 0' : ''}`
  return numberList(
    rule,
    (list) =>
      (list.length === 1 || list.length === channels) &&
      list.every((value) => accepts === 'any' || value > 0),
    standard,
    text,
  )
}

/** Class name to class index, counting from 0 without gaps; null when not given. */
export function labelMap(text: KeyText) {
  const schema = z
    .record(
      z.string(),
      numberType('an index of 0 or more', (value) => Number.isSafeInteger(value) && value >= 0),
      {
        error: (issue) =>
          `must be a map from class name to index, such as {walk: 0, fall: 1}, not ${show(issue.input)}`,
      },
    )
    .refine(
      (map) => {
        const indices = Object.values(map).sort((a, b) => a - b)
        return indices.length > 0 && indices.every((index, i) => index === i)
      },
      { error: 'must give every class its own index, counting from 0 without gaps' },
    )
    .nullable()
    .default(null)
  return key(schema, { ...text, kind: 'map', rule: 'a map from class name to index' })
}

/** Pairs of classes that a mirror turns into each other; given once, told both ways round. */
export function classPairs(text: KeyText) {
  const error = (issue: { input?: unknown }): string =>
    `must be a map from class name to class name, such as {turn_left: turn_right}, not ${show(issue.input)}`
  const schema = z
    .record(z.string(), z.string({ error }), { error })
    .nullable()
    .default(null)
    .transform((given, context): Record<string, string> => {
      const pairs = new Map<string, string>()
      for (const [a, b] of Object.entries(given ?? {})) {
        for (const [from, to] of [
          [a, b],
          [b, a],
        ] as const) {
          if ((pairs.get(from) ?? to) !== to) {
            context.addIssue({
              code: 'custom',
              message: `pairs ${from} with both ${pairs.get(from)} and ${to}`,
            })
          }
          pairs.set(from, to)
        }
      }
      return Object.fromEntries(pairs)
    })
  return key(schema, { ...text, kind: 'map', rule: 'a map from class name to class name' })
}

/** `none`, `balanced`, or a weight above 0 for each class by name. */
export function classWeights(text: KeyText) {
  const choices = ['none', 'balanced'] as const
  const rule = 'none, balanced, or a map from class name to a weight above 0, such as {walk: 1, fall: 3}'
  const error = (issue: { input?: unknown }): string => `must be ${rule}, not ${show(issue.input)}`
  const schema = z
    .custom<(typeof choices)[number] | Record<string, number>>(
      (value) =>
        choices.some((word) => word === value) ||
        (typeof value === 'object' &&
          value !== null &&
          !Array.isArray(value) &&
          Object.values(value).every(
            (weight) => typeof weight === 'number' && Number.isFinite(weight) && weight > 0,
          )),
      { error },
    )
    .default('none')
  return key(schema, { ...text, kind: 'map', rule }, choices)
}

/** `a`, `a or b`, `a, b or c`. */
export function orList(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`
}

/** A value as a person would write it in YAML, shortened. */
export function show(value: unknown): string {
  if (value === undefined) return 'nothing'
  const text = printable(typeof value === 'string' ? value : JSON.stringify(value))
  return text.length > 60 ? `${text.slice(0, 59)}…` : text
}
