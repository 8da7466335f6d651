/** How many colours and patterns there are; from the next class on colours repeat. */
export const markCount = 12

/** Style class of a class's colour and pattern, from its index in the label map. */
export function markOf(classIndex: number): string {
  return `k${(classIndex % markCount) + 1}`
}

/**
 * The mark of each class: the first letter of its name that no class before it took, else the first two
 * letters that are free, else its number.
 */
export function classLetters(names: readonly string[]): string[] {
  const taken = new Set<string>()
  return names.map((name, index) => {
    const letters = [...name.toUpperCase()].filter((character) => /[\p{L}\p{N}]/u.test(character))
    const pairs = letters.slice(1).map((second) => `${letters[0] ?? ''}${second.toLowerCase()}`)
    const mark = [...letters, ...pairs].find((candidate) => !taken.has(candidate)) ?? String(index + 1)
    taken.add(mark)
    return mark
  })
}
