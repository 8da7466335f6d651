import { printable } from './problem.ts'
import { defineKey, getKey, isTree, type Tree } from './source.ts'

/** Long enough for every path; short enough that references of references do not fill the memory. */
const longestText = 4096

/** What is told about a reference that leads nowhere: the key that holds it, and what is wrong. */
export type NoteProblem = (key: string, message: string) => void

/**
 * Puts values in the place of references such as `${results_dir}/train` in all text of `tree`, as OmegaConf does.
 * A text that is one reference alone gets the value itself, a number for instance.
 *
 * @param standard The default of a known key, `undefined` for an unknown one.
 * @returns A tree without references; text with a bad one is left out, having been noted.
 */
export function resolveReferences(tree: Tree, standard: (key: string) => unknown, note: NoteProblem): Tree {
  const resolved = new Map<string, unknown>()
  const broken = new Set<string>()
  const open = new Set<string>()

  const valueOf = (key: string): unknown => {
    if (resolved.has(key)) return resolved.get(key)
    if (open.has(key)) throw new CircularReference(`\${${key}} leads back to itself`)
    if (broken.has(key)) throw new BadReference(null)
    open.add(key)
    try {
      const written = getKey(tree, key)
      const value = written === undefined ? standard(key) : resolveValue(written)
      resolved.set(key, value)
      return value
    } catch (error) {
      if (!(error instanceof BadReference)) throw error
      // Whoever refers to a key with a bad reference is not to blame; that key itself is told.
      broken.add(key)
      throw error instanceof CircularReference ? error : new BadReference(null)
    } finally {
      open.delete(key)
    }
  }

  const resolveValue = (value: unknown): unknown => {
    if (typeof value !== 'string' || !value.includes('${')) return value
    const whole = /^\$\{([^{}]*)\}$/.exec(value)
    if (whole !== null) return single(whole[1] ?? '')
    const text = value.replace(/\$\{([^{}]*)\}/g, (_, name: string) => String(single(name)))
    if (text.includes('${')) throw new BadReference('a ${...} reference is not closed, or stands in another')
    if (text.length > longestText) throw new BadReference('is too long')
    return text
  }

  const single = (written: string): string | number | boolean => {
    const name = written.trim()
    const shown = `\${${printable(name.slice(0, 80))}}`
    if (name.includes(':'))
      throw new BadReference(`${shown} is not read here, only keys of the spec are; write the value out`)
    if (name.startsWith('.'))
      throw new BadReference(`${shown}: write the whole key, such as \${train.results_dir}`)
    const value = valueOf(name)
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value
    if (value === undefined) throw new BadReference(`${shown} is not a key of the spec`)
    if (value === null) throw new BadReference(`${shown} has no value`)
    throw new BadReference(`${shown} is not a single value`)
  }

  const visit = (value: unknown, key: string): unknown => {
    if (Array.isArray(value)) return value.map((item) => visit(item, key))
    if (isTree(value)) {
      const kept: Tree = {}
      for (const [name, child] of Object.entries(value)) {
        const result = visit(child, key === '' ? name : `${key}.${name}`)
        if (result !== undefined) defineKey(kept, name, result)
      }
      return kept
    }
    try {
      return resolveValue(value)
    } catch (error) {
      if (!(error instanceof BadReference)) throw error
      if (error.reason !== null) note(key, error.reason)
      return undefined
    }
  }
  return visit(tree, '') as Tree
}

class BadReference extends Error {
  /** Null when the fault lies with another key, which is told for itself. */
  readonly reason: string | null

  constructor(reason: string | null) {
    super(reason ?? 'refers to a key with a bad reference')
    this.reason = reason
  }
}

class CircularReference extends BadReference {}
