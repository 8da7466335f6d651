import type { SpecChanges, SpecKey, SpecSection } from '../../../src-main/api/contract/index.ts'

export interface SpecGroup extends SpecSection {
  keys: SpecKey[]
}

export interface SpecFilter {
  /** Words that all have to stand in the name or in the texts of a key. */
  text: string
  onlyChanged: boolean
}

/** The keys that fit the filter, group by group in the order of the spec; groups without one are left out. */
export function groupKeys(
  spec: { sections: readonly SpecSection[]; keys: readonly SpecKey[] },
  changes: SpecChanges,
  { text, onlyChanged }: SpecFilter,
): SpecGroup[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean)
  const fits = (key: SpecKey): boolean => {
    if (onlyChanged && changes[key.key] === undefined) return false
    const told = [key.key, key.meaning, key.rule, key.taoDifference ?? ''].join(' ').toLowerCase()
    return words.every((word) => told.includes(word))
  }
  return spec.sections
    .map((section) => ({
      ...section,
      keys: spec.keys.filter((key) => key.section === section.section && fits(key)),
    }))
    .filter((group) => group.keys.length > 0)
}
