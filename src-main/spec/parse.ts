import { stringify } from 'yaml'
import type { z } from 'zod'
import { KineoError } from '../core/errors.ts'
import { crossProblems } from './cross-checks.ts'
import { describeSpec, supportedKeys } from './describe.ts'
import { show } from './key-kinds.ts'
import { agreeOnDevices } from './keys/devices.ts'
import { acceptedWithoutEffect, isNeutral, notBuiltKeys } from './not-built.ts'
import { printable, problemLine, type SpecProblem } from './problem.ts'
import { readSpecText } from './read-text.ts'
import { resolveReferences } from './references.ts'
import { type Spec, specSchema } from './schema.ts'
import {
  defineKey,
  deleteKey,
  isTree,
  mergeSources,
  placeOf,
  readOverrides,
  readYaml,
  type SpecSource,
  type Tree,
} from './source.ts'
import { otherSpellings, unifySpellings } from './spellings.ts'
import { siblingNames, suggestKey } from './suggest.ts'

/** Keys whose value is a map of the person's own names; an override gives the whole map. */
const ownNames = ['dataset.label_map', 'dataset.augmentation_config.flip_label_map', 'train.class_weights']

/** A file full of unknown keys is not a spec: the rest is only counted. */
const mostProblems = 30
const longestShownKey = 200

/** What reading a spec came to. */
export interface SpecReading {
  /** The whole spec, or null when there are problems. */
  spec: Spec | null
  problems: SpecProblem[]
  /** What was accepted and has no effect in this version, such as a second device. */
  notes: SpecProblem[]
  /** Dotted key -> where it was written, such as `spec.yaml:12`; keys that were not given are not there. */
  places: ReadonlyMap<string, string>
}

/**
 * Reads an experiment spec with `key=value` overrides laid over it, and collects all that is wrong with it.
 * @throws KineoError: `usage` for a malformed override, `spec` when the file cannot be read at all.
 */
export async function readSpec(path: string, overrides: readonly string[] = []): Promise<SpecReading> {
  const { source, problems } = readYaml(await readSpecText(path), path)
  const over = readOverrides(overrides)
  // With broken YAML nothing else can be judged; with a doubled key, the rest can.
  if (problems.some(({ key }) => key === '')) return { spec: null, problems, notes: [], places: new Map() }
  return fromSources([source, over], problems)
}

/**
 * Reads an experiment spec with `key=value` overrides laid over it.
 * @throws KineoError: `usage` for a malformed override, `spec` when the file cannot be read, or with all problems at
 * once, each with file, line and key.
 */
export async function loadSpec(path: string, overrides: readonly string[] = []): Promise<Spec> {
  return requireSpec(await readSpec(path, overrides))
}

/**
 * Makes a whole spec from a plain object with the keys of the YAML; what is missing gets its default.
 * @throws KineoError (spec) with all problems at once.
 */
export function parseSpec(value: unknown): Spec {
  return requireSpec(checkSpec(value))
}

/** As `parseSpec`, but the problems are returned. */
export function checkSpec(value: unknown): SpecReading {
  if (isTree(value)) return fromSources([{ tree: structuredClone(value), places: new Map() }], [])
  const message = 'An experiment spec is a map of keys such as model, dataset, train'
  return { spec: null, problems: [{ key: '', message, place: null }], notes: [], places: new Map() }
}

/** The spec of a reading. @throws KineoError (spec) with all its problems. */
export function requireSpec({ spec, problems }: SpecReading): Spec {
  if (spec !== null) return spec
  const lines = problems.map(problemLine)
  if (lines.length === 1) throw new KineoError('spec', lines[0] ?? '')
  throw new KineoError('spec', `The experiment spec has ${lines.length} problems:\n  ${lines.join('\n  ')}`)
}

/**
 * The resolved spec as YAML that `loadSpec` reads back to the same spec, and PyYAML as well. The encryption key is
 * left out: it must not lie beside what it protects.
 */
export function specToYaml(spec: Spec): string {
  return stringify({ ...spec, encryption_key: null }, { schema: 'yaml-1.1' })
}

function fromSources(sources: readonly SpecSource[], earlier: readonly SpecProblem[]): SpecReading {
  const problems = [...earlier]
  let merged: SpecSource = { tree: {}, places: new Map() }
  for (const source of sources) {
    problems.push(...unifySpellings(source))
    merged = mergeSources(merged, source, ownNames)
  }
  const { places } = merged
  const at = (key: string, message: string): SpecProblem => ({
    key: printable(key.slice(0, longestShownKey)),
    message,
    place: placeOf(places, key),
  })
  const note = (key: string, message: string): void => {
    problems.push(at(key, message))
  }
  const withoutReferences = resolveReferences(merged.tree, (key) => defaults.get(key), note)
  const notes = acceptedWithoutEffect(withoutReferences).map(({ key, message }) => at(key, message))
  const tree = sortOut(withoutReferences, note)
  const { spec, wrongKeys } = judge(tree, note)
  if (spec !== null) {
    const touched = (key: string): boolean => wrongKeys.some((wrong) => within(key, wrong))
    for (const { key, message, others } of crossProblems(spec)) {
      if ([key, ...others].some(touched)) continue
      // A default may clash with what was written: the place is where something was written.
      const written = [key, ...others].find((name) => places.has(name)) ?? key
      problems.push({ key, message, place: placeOf(places, written) })
    }
  }
  return { spec: problems.length > 0 ? null : spec, problems: limited(problems), notes, places }
}

const defaults: ReadonlyMap<string, unknown> = new Map(
  describeSpec().map((description) => [description.key, description.default]),
)

/**
 * The spec that `tree` says. A wrong key is noted and its default stands in, so that what must hold between the others
 * can still be judged.
 */
function judge(
  tree: Tree,
  note: (key: string, message: string) => void,
): { spec: Spec | null; wrongKeys: string[] } {
  const wrongKeys: string[] = []
  const whole = specSchema.safeParse(tree)
  if (whole.success) return { spec: withDevices(whole.data), wrongKeys }
  const rest = structuredClone(tree)
  for (const issue of whole.error.issues) {
    const key = issue.path.join('.')
    note(key, messageOf(issue))
    const known = nearestKnown(key)
    wrongKeys.push(known)
    deleteKey(rest, known)
  }
  const again = specSchema.safeParse(rest)
  return { spec: again.success ? withDevices(again.data) : null, wrongKeys }
}

function withDevices(spec: Spec): Spec {
  const { train, evaluate, inference } = spec
  return {
    ...spec,
    train: agreeOnDevices(train),
    evaluate: agreeOnDevices(evaluate),
    inference: agreeOnDevices(inference),
  }
}

/** The key of the spec that `key`, such as an entry of the label map, belongs to. */
function nearestKnown(key: string): string {
  const parts = key.split('.')
  while (parts.length > 1 && !supported.has(parts.join('.'))) parts.pop()
  return parts.join('.')
}

/** True when `key` is `group` or stands in it. */
function within(key: string, group: string): boolean {
  return key === group || key.startsWith(`${group}.`)
}

const supported: ReadonlySet<string> = new Set(supportedKeys())
const sections: ReadonlySet<string> = new Set(
  [...supported, ...notBuiltKeys.keys()].filter((key) =>
    [...supported, ...notBuiltKeys.keys()].some((other) => other.startsWith(`${key}.`)),
  ),
)

/** Drops neutral keys of the not-built list and empty groups; notes keys that are unknown or not built. */
function sortOut(tree: Tree, note: (key: string, message: string) => void): Tree {
  let unknown = 0
  const visit = (group: Tree, prefix: string): Tree => {
    const kept: Tree = {}
    for (const [name, value] of Object.entries(group)) {
      const key = prefix + name
      if (sections.has(key)) {
        // `evaluate:` with nothing below it is an empty group.
        const child = isTree(value) || value === null ? visit(value ?? {}, `${key}.`) : value
        if (supported.has(key)) defineKey(kept, name, child)
      } else if (supported.has(key)) {
        defineKey(kept, name, value)
      } else if (notBuiltKeys.has(key)) {
        if (!isNeutral(key, value)) {
          note(key, `${show(value)} is not supported. ${notBuiltKeys.get(key)?.remedy ?? ''}`)
        }
      } else {
        unknown++
        note(key, unknown > mostProblems ? 'is not a key of the spec' : unknownKey(key))
      }
    }
    return kept
  }
  return visit(tree, '')
}

function unknownKey(key: string): string {
  const near = suggestKey(key, [...supported, ...notBuiltKeys.keys(), ...otherSpellings.keys()])
  if (near !== undefined) return `is not a key of the spec; did you mean ${near}?`
  const { section, names } = siblingNames(key, supported)
  return `is not a key of the spec; ${section === '' ? 'it' : section} has ${names.join(', ')}`
}

function limited(problems: SpecProblem[]): SpecProblem[] {
  if (problems.length <= mostProblems) return problems
  const more = problems.length - mostProblems
  const last = {
    key: '',
    message: `and ${more} more problem${more === 1 ? '' : 's'} of this kind`,
    place: null,
  }
  return [...problems.slice(0, mostProblems), last]
}

function messageOf(issue: z.core.$ZodIssue): string {
  return issue.message.startsWith('Invalid')
    ? issue.message.replace('Invalid input: expected', 'must be')
    : issue.message
}
