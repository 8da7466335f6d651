import { readFile } from 'node:fs/promises'
import { stringify } from 'yaml'
import type { z } from 'zod'
import { KineoError } from '../core/errors.ts'
import { isNeutral, isSilent, notBuiltKeys } from './not-built.ts'
import { supportedKeys } from './describe.ts'
import { show } from './key-kinds.ts'
import { agreeOnDevices } from './keys/devices.ts'
import { type Spec, specSchema } from './schema.ts'
import { isTree, mergeSources, readOverrides, readYaml, type SpecSource, type Tree } from './source.ts'
import { otherSpellings, type Problem, unifySpellings } from './spellings.ts'
import { siblingNames, suggestKey } from './suggest.ts'

/** Keys whose value is a map of the person's own names; an override gives the whole map. */
const ownNames = ['dataset.label_map', 'dataset.augmentation_config.flip_label_map', 'train.class_weights']

/**
 * Reads an experiment spec with `key=value` overrides laid over it.
 * @throws KineoError: `usage` for a malformed override, `spec` when the file cannot be read, or with all problems at
 * once, each with file, line and key.
 */
export async function loadSpec(path: string, overrides: readonly string[] = []): Promise<Spec> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    throw new KineoError('spec', 'Cannot read the experiment spec', {
      where: path,
      remedy: 'Check the path after -e',
      cause: error,
    })
  }
  return fromSources([readYaml(text, path), readOverrides(overrides)])
}

/**
 * Makes a whole spec from a plain object with the keys of the YAML; what is missing gets its default.
 * @throws KineoError (spec) with all problems at once.
 */
export function parseSpec(value: unknown): Spec {
  if (!isTree(value))
    throw new KineoError('spec', 'An experiment spec is a map of keys such as model, dataset, train')
  return fromSources([{ tree: structuredClone(value), places: new Map() }])
}

/** The resolved spec as YAML that `loadSpec` reads back to the same spec. */
export function specToYaml(spec: Spec): string {
  return stringify(spec)
}

function fromSources(sources: SpecSource[]): Spec {
  const problems: (Problem & { place: string | undefined })[] = []
  let merged: SpecSource = { tree: {}, places: new Map() }
  for (const source of sources) {
    const { places } = source
    for (const problem of unifySpellings(source))
      problems.push({ ...problem, place: places.get(problem.key) })
    merged = mergeSources(merged, source, ownNames)
  }

  const supported = new Set(supportedKeys())
  const note = (key: string, message: string): void => {
    problems.push({ key, message, place: placeOf(merged.places, key) })
  }
  const tree = sortOut(merged.tree, supported, note)

  const result = specSchema.safeParse(tree)
  if (!result.success) {
    for (const issue of result.error.issues) note(issue.path.join('.'), messageOf(issue))
  }
  if (problems.length > 0 || !result.success) throw specError(problems)
  const { train, evaluate, inference } = result.data
  return {
    ...result.data,
    train: agreeOnDevices(train),
    evaluate: agreeOnDevices(evaluate),
    inference: agreeOnDevices(inference),
  }
}

/** Drops neutral keys of the not-built list and empty groups; notes keys that are unknown or not built. */
function sortOut(
  tree: Tree,
  supported: ReadonlySet<string>,
  note: (key: string, message: string) => void,
): Tree {
  const sections = new Set(
    [...supported, ...notBuiltKeys.keys()].filter((key) => hasChildren(key, supported)),
  )
  const visit = (group: Tree, prefix: string): Tree => {
    const kept: Tree = {}
    for (const [name, value] of Object.entries(group)) {
      const key = prefix + name
      if (sections.has(key)) {
        // `evaluate:` with nothing below it is an empty group.
        if (isTree(value) || value === null) kept[name] = visit(value ?? {}, `${key}.`)
        else kept[name] = value
        if (!supported.has(key)) delete kept[name]
      } else if (supported.has(key)) {
        kept[name] = value
      } else if (notBuiltKeys.has(key)) {
        if (!isNeutral(key, value)) note(key, `${show(value)} is not supported yet`)
      } else if (!isSilent(key)) {
        note(key, unknownKey(key, supported))
      }
    }
    return kept
  }
  return visit(tree, '')
}

function unknownKey(key: string, supported: ReadonlySet<string>): string {
  const near = suggestKey(key, [...supported, ...notBuiltKeys.keys(), ...otherSpellings.keys()])
  if (near !== undefined) return `is not a key of the spec; did you mean ${near}?`
  const { section, names } = siblingNames(key, supported)
  return `is not a key of the spec; ${section === '' ? 'it' : section} has ${names.join(', ')}`
}

function hasChildren(key: string, supported: ReadonlySet<string>): boolean {
  const prefix = `${key}.`
  return [...supported, ...notBuiltKeys.keys()].some((other) => other.startsWith(prefix))
}

/** The place of a key, of the nearest group around it that was written down, or of the first key within it. */
function placeOf(places: ReadonlyMap<string, string>, key: string): string | undefined {
  const parts = key.split('.')
  while (parts.length > 0) {
    const place = places.get(parts.join('.'))
    if (place !== undefined) return place
    parts.pop()
  }
  for (const [other, place] of places) if (other.startsWith(`${key}.`)) return place
  return undefined
}

function messageOf(issue: z.core.$ZodIssue): string {
  return issue.message.startsWith('Invalid')
    ? issue.message.replace('Invalid input: expected', 'must be')
    : issue.message
}

function specError(
  problems: readonly { key: string; message: string; place: string | undefined }[],
): KineoError {
  const lines = problems.map(
    ({ key, message, place }) => `${place === undefined ? '' : `${place}: `}${key}: ${message}`,
  )
  if (lines.length === 1) return new KineoError('spec', lines[0] ?? '')
  return new KineoError('spec', `The experiment spec has ${lines.length} problems:\n  ${lines.join('\n  ')}`)
}
