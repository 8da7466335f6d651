import { isMap, isScalar, Lexer, LineCounter, parseDocument, type ParsedNode } from 'yaml'
import { KineoError } from '../core/errors.ts'
import { printable, problemLine, type SpecProblem } from './problem.ts'

/** A nested map of keys as YAML gives it. */
export interface Tree {
  [key: string]: unknown
}

/** Values together with where each of them was written. */
export interface SpecSource {
  tree: Tree
  /** Dotted key -> place for people, such as `spec.yaml:12`. */
  places: Map<string, string>
}

/** Class names such as `01`, `1.0` or `yes` are keys too: they keep their text. `<<` merges, as in PyYAML. */
const yamlOptions = { prettyErrors: false, uniqueKeys: false, stringKeys: true, merge: true } as const

/** A file that is no YAML gives one error after the other; the first few tell enough. */
const mostSyntaxErrors = 5
const deepestKey = 20
/** Some thousands of classes; more would only keep the reader busy. */
const mostTokens = 60_000
const deepestBrackets = 50

export function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/**
 * Reads YAML text.
 * @param name How messages call the file.
 * @returns What it says and every problem of the YAML itself, each with its line.
 */
export function readYaml(text: string, name: string): { source: SpecSource; problems: SpecProblem[] } {
  const lineCounter = new LineCounter()
  const lineAt = (offset: number): string => `${name}:${lineCounter.linePos(offset).line}`
  const none: SpecSource = { tree: {}, places: new Map() }
  try {
    requireModest(text)
    const document = parseDocument(text, { lineCounter, ...yamlOptions })
    // A tag that means nothing here, such as !!python/object, is only a warning there.
    const syntax = [...document.errors, ...document.warnings]
    if (syntax.length > 0) {
      const problems = new Map<string, SpecProblem>()
      for (const error of syntax) {
        const problem = { key: '', message: syntaxMessage(error), place: lineAt(error.pos[0]) }
        problems.set(problemLine(problem), problem)
        if (problems.size === mostSyntaxErrors) break
      }
      return { source: none, problems: [...problems.values()] }
    }
    const { places, problems } = placesOf(document.contents, lineAt)
    const value: unknown = document.toJS()
    requireShallow(value, deepestKey)
    if (value !== null && !isTree(value)) {
      const message = 'an experiment spec is a map of keys such as model:, dataset:, train:'
      return { source: none, problems: [{ key: '', message, place: name }] }
    }
    return { source: { tree: value ?? {}, places }, problems }
  } catch (error) {
    const message = exhaustion(error)
    if (message === undefined) throw error
    return { source: none, problems: [{ key: '', message, place: name }] }
  }
}

/**
 * Counts the tokens and the open brackets before anything is built from them: the parser takes long over too many, and
 * fails with the process, not with an error, over brackets that are too deep.
 * @throws RangeError for text that no experiment spec comes near to.
 */
function requireModest(text: string): void {
  let tokens = 0
  let depth = 0
  for (const token of new Lexer().lex(text)) {
    if (token === '[' || token === '{') depth++
    else if (token === ']' || token === '}') depth--
    if (++tokens > mostTokens || depth > deepestBrackets) throw new RangeError()
  }
}

/** @throws RangeError for values that go deeper than `levels`, also for ones that hold themselves. */
function requireShallow(value: unknown, levels: number): void {
  if (typeof value !== 'object' || value === null) return
  if (levels === 0) throw new RangeError()
  for (const child of Object.values(value)) requireShallow(child, levels - 1)
}

/** What to tell when the YAML is made to exhaust its reader, or undefined for a bug of ours. */
function exhaustion(error: unknown): string | undefined {
  if (error instanceof RangeError) return 'is too large or nested too deeply to be an experiment spec'
  if (!(error instanceof ReferenceError)) return undefined
  return error.message.startsWith('Unresolved alias')
    ? printable(error.message)
    : 'repeats its anchors (&name, *name) too often to be an experiment spec; write the values out'
}

function syntaxMessage(error: { code: string; message: string }): string {
  switch (error.code) {
    case 'TAB_AS_INDENT':
      return 'is indented with a tab, which YAML does not take; use spaces'
    case 'MULTIPLE_DOCS':
      return 'a second document begins at ---; an experiment spec is one document'
    case 'TAG_RESOLVE_FAILED':
      return `${printable(error.message)}; an experiment spec holds plain values only`
    case 'BAD_ALIAS':
      return printable(error.message)
    default:
      if (error.message.includes('call stack'))
        return 'is too large or nested too deeply to be an experiment spec'
      return `${printable(error.message)}. Mend the YAML, mostly an indent, a colon or a quote`
  }
}

function placesOf(
  contents: ParsedNode | null,
  lineAt: (offset: number) => string,
): { places: Map<string, string>; problems: SpecProblem[] } {
  const places = new Map<string, string>()
  const problems: SpecProblem[] = []
  const visit = (node: ParsedNode | null, prefix: string, depth: number): void => {
    if (!isMap(node) || depth > deepestKey) return
    for (const pair of node.items) {
      const name = String(isScalar(pair.key) ? pair.key.value : pair.key)
      const key = prefix + name
      const offset = isScalar(pair.key) ? pair.key.range?.[0] : undefined
      if (offset === undefined || name === '<<') continue
      const place = lineAt(offset)
      const first = places.get(key)
      if (first !== undefined) {
        const message = `is given twice, first in line ${first.slice(first.lastIndexOf(':') + 1)}`
        problems.push({ key: printable(key), message, place })
      }
      places.set(key, place)
      visit(pair.value as ParsedNode | null, `${key}.`, depth + 1)
    }
  }
  visit(contents, '', 0)
  return { places, problems }
}

/**
 * Reads `key=value` overrides; values are YAML, so `[1, 2]`, `{walk: 0}`, `null` and `0.1` mean what they say.
 * A later override of the same key wins.
 * @throws KineoError (usage) for text without a key or with a value that is no YAML.
 */
export function readOverrides(overrides: readonly string[]): SpecSource {
  const source: SpecSource = { tree: {}, places: new Map() }
  for (const text of overrides) {
    const equals = text.indexOf('=')
    const key = text.slice(0, Math.max(0, equals)).trim()
    const parts = key.split('.')
    if (!/^[^\s.=]+(\.[^.=]+)*$/.test(key) || parts.length > deepestKey) {
      throw new KineoError('usage', `Not an override: ${printable(shortened(text))}`, {
        remedy: 'Write key=value, such as train.optim.lr=0.01',
      })
    }
    // A secret is not repeated in messages.
    const shown = key === 'encryption_key' ? `${key}=...` : printable(shortened(text))
    setKey(source.tree, parts, overrideValue(shown, text.slice(equals + 1)))
    source.places.set(key, `override ${shown}`)
  }
  return source
}

/** @param shown The whole override, for messages. */
function overrideValue(shown: string, text: string): unknown {
  try {
    requireModest(text)
    const document = parseDocument(text, yamlOptions)
    if (document.errors.length === 0 && document.warnings.length === 0) {
      const value: unknown = document.toJS() ?? null
      requireShallow(value, deepestKey)
      return isTightMap(value) ? overrideValue(shown, text.replace(/:(?=\S)/g, ': ')) : value
    }
  } catch (error) {
    if (exhaustion(error) === undefined) throw error
  }
  throw new KineoError('usage', `The value is not valid: ${shown}`, {
    remedy: 'Quote it for the shell, such as "dataset.label_map={walk: 0, fall: 1}"',
  })
}

/** True for what `{walk:0,fall:1}`, as TAO's command line takes it, is in YAML: names with a colon, without values. */
function isTightMap(value: unknown): boolean {
  if (!isTree(value)) return false
  const entries = Object.entries(value)
  return entries.length > 0 && entries.every(([name, child]) => child === null && /.:\S/.test(name))
}

function shortened(text: string): string {
  return text.length > 200 ? `${text.slice(0, 199)}…` : text
}

/** Sets `parts` in `tree`, making the groups on the way. */
export function setKey(tree: Tree, parts: readonly string[], value: unknown): void {
  let group = tree
  for (const part of parts.slice(0, -1)) {
    const child = Object.hasOwn(group, part) ? group[part] : undefined
    group = isTree(child) ? child : defineKey(group, part, {})
  }
  defineKey(group, parts.at(-1) ?? '', value)
}

/** The value of a dotted key, or undefined when it is not there. */
export function getKey(tree: Tree, key: string): unknown {
  let value: unknown = tree
  for (const part of key.split('.')) {
    if (!isTree(value) || !Object.hasOwn(value, part)) return undefined
    value = value[part]
  }
  return value
}

export function deleteKey(tree: Tree, key: string): void {
  const parts = key.split('.')
  const group = parts.length === 1 ? tree : getKey(tree, parts.slice(0, -1).join('.'))
  if (isTree(group)) delete group[parts.at(-1) ?? '']
}

/** Defines an own property, also for a name such as `__proto__` that assignment would treat specially. */
export function defineKey<T>(group: Tree, name: string, value: T): T {
  Object.defineProperty(group, name, { value, enumerable: true, configurable: true, writable: true })
  return value
}

/** Lays `over` on `base`: groups are merged, everything else, `replaced` keys as a whole, is taken from `over`. */
export function mergeSources(base: SpecSource, over: SpecSource, replaced: readonly string[]): SpecSource {
  const merge = (below: Tree, above: Tree, prefix: string): Tree => {
    const result: Tree = {}
    for (const [name, value] of Object.entries(below)) defineKey(result, name, value)
    for (const [name, value] of Object.entries(above)) {
      const key = prefix + name
      const old = Object.hasOwn(result, name) ? result[name] : undefined
      const asGroup = isTree(value) && isTree(old) && !(replaced.includes(key) && over.places.has(key))
      defineKey(result, name, asGroup ? merge(old, value, `${key}.`) : value)
    }
    return result
  }
  return { tree: merge(base.tree, over.tree, ''), places: new Map([...base.places, ...over.places]) }
}

/** The place of a key, of the nearest group around it that was written down, or of the first key within it. */
export function placeOf(places: ReadonlyMap<string, string>, key: string): string | null {
  const parts = key.split('.')
  while (parts.length > 0) {
    const place = places.get(parts.join('.'))
    if (place !== undefined) return place
    parts.pop()
  }
  for (const [other, place] of places) if (other.startsWith(`${key}.`)) return place
  return null
}
