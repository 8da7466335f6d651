/**
 * The fewest insertions, deletions, replacements and swaps of neighbours that turn `a` into `b` (Damerau 1964, in the
 * form that changes no letter twice).
 */
export function editDistance(a: string, b: string): number {
  let beforePrevious: number[] = []
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const replace = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      const swap = isSwap ? (beforePrevious[j - 2] ?? 0) + 1 : Infinity
      row.push(Math.min((previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, replace, swap))
    }
    beforePrevious = previous
    previous = row
  }
  return previous[b.length] ?? 0
}

/**
 * The known key that was probably meant by `key` (both dotted), or undefined when none is near. A right name under
 * the wrong section, such as `train.lr` for `train.optim.lr`, counts as near.
 */
export function suggestKey(key: string, known: Iterable<string>): string | undefined {
  const name = lastPart(key)
  if (key.length > longestName) return undefined
  let best: { key: string; distance: number } | undefined
  for (const candidate of known) {
    const candidateName = lastPart(candidate)
    const sameSection = sectionOf(candidate) === sectionOf(key)
    const distance =
      nameDistance(name, candidateName) + (sameSection ? 0 : 0.5 + sectionDistance(key, candidate) / 100)
    if (distance > Math.max(1, name.length / 3)) continue
    if (best === undefined || distance < best.distance) best = { key: candidate, distance }
  }
  return best?.key
}

/** A longer name is no typing mistake, and would take long to compare. */
const longestName = 100

/** Edit distance; a word of the name alone, such as `epochs` of `num_epochs`, is one away. */
function nameDistance(name: string, candidate: string): number {
  const isPart = candidate.startsWith(`${name}_`) || candidate.endsWith(`_${name}`)
  return isPart ? 1 : editDistance(name, candidate)
}

function sectionDistance(a: string, b: string): number {
  return Math.min(40, editDistance(sectionOf(a), sectionOf(b)))
}

function lastPart(key: string): string {
  return key.slice(key.lastIndexOf('.') + 1)
}

/** The names right below the section in which `key` stands, or of the nearest section around it that exists. */
export function siblingNames(key: string, known: Iterable<string>): { section: string; names: string[] } {
  const keys = [...known]
  let section = sectionOf(key)
  while (section !== '' && !keys.includes(section)) section = sectionOf(section)
  return { section, names: keys.filter((other) => sectionOf(other) === section).map(lastPart) }
}

function sectionOf(key: string): string {
  return key.slice(0, Math.max(0, key.lastIndexOf('.')))
}
