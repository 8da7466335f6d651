import { isMap, isScalar, LineCounter, parse, parseDocument, type ParsedNode } from 'yaml'
import { KineoError } from '../core/errors.ts'

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

export function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/**
 * Reads YAML text.
 * @param name How messages call the file.
 * @throws KineoError (spec) with the line of every syntax error and doubled key.
 */
export function readYaml(text: string, name: string): SpecSource {
  const lineCounter = new LineCounter()
  const document = parseDocument(text, { lineCounter, prettyErrors: false })
  if (document.errors.length > 0) {
    const problems = document.errors.map(
      (error) => `${name}:${lineCounter.linePos(error.pos[0]).line}: ${error.message}`,
    )
    throw new KineoError('spec', problems.join('\n'), {
      remedy: 'Mend the YAML, mostly an indent or a colon',
    })
  }
  const places = new Map<string, string>()
  const visit = (node: ParsedNode | null, prefix: string): void => {
    if (!isMap(node)) return
    for (const pair of node.items) {
      const key = prefix + String(isScalar(pair.key) ? pair.key.value : pair.key)
      const offset = isScalar(pair.key) ? pair.key.range?.[0] : undefined
      if (offset !== undefined) places.set(key, `${name}:${lineCounter.linePos(offset).line}`)
      visit(pair.value as ParsedNode | null, `${key}.`)
    }
  }
  visit(document.contents, '')
  const value: unknown = document.toJS()
  if (value !== null && !isTree(value)) {
    throw new KineoError(
      'spec',
      `${name}: an experiment spec is a map of keys such as model:, dataset:, train:`,
    )
  }
  return { tree: value ?? {}, places }
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
    if (!/^[^\s.=]+(\.[^.=]+)*$/.test(key)) {
      throw new KineoError('usage', `Not an override: ${text}`, {
        remedy: 'Write key=value, such as train.optim.lr=0.01',
      })
    }
    let value: unknown
    try {
      value = parse(text.slice(equals + 1)) ?? null
    } catch {
      throw new KineoError('usage', `The value of ${key} is not valid: ${text}`, {
        remedy: 'Quote it for the shell, such as "dataset.label_map={walk: 0, fall: 1}"',
      })
    }
    setKey(source.tree, key.split('.'), value)
    source.places.set(key, `override ${text}`)
  }
  return source
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
function defineKey<T>(group: Tree, name: string, value: T): T {
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
