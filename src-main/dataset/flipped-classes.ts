import { KineoError } from '../core/errors.ts'

/**
 * Class that a mirrored clip shows, from `augmentation_config.flip_label_map`. An entry such as `left: right` means both
 * ways: a mirrored clip of `left` is one of `right`, and a mirrored one of `right` is one of `left`. Writing both
 * entries says the same. Classes without an entry stay what they are.
 *
 * @param pairs Class name to class name.
 * @param labelMap Class name to class index, counting from 0 without gaps.
 * @returns By class index; null when no class changes.
 * @throws KineoError `spec` for a class that is not in the label map and for one with two partners; all at once.
 */
export function flippedClasses(
  pairs: Readonly<Record<string, string>>,
  labelMap: ReadonlyMap<string, number>,
): number[] | null {
  const flipped = Array.from({ length: labelMap.size }, (_, index) => index)
  const partners = new Map<string, string>()
  const problems: string[] = []
  for (const [from, to] of Object.entries(pairs)) {
    const unknown = [from, to].filter((name) => !labelMap.has(name))
    if (unknown.length > 0) {
      problems.push(`${from}: ${to}: ${unknown.map((name) => `"${name}"`).join(' and ')} not in label_map`)
      continue
    }
    for (const [name, partner] of [
      [from, to],
      [to, from],
    ] as const) {
      const other = partners.get(name)
      if (other !== undefined && other !== partner) {
        problems.push(`"${name}" is paired with both "${other}" and "${partner}"`)
      }
      partners.set(name, partner)
      flipped[labelMap.get(name) ?? -1] = labelMap.get(partner) ?? -1
    }
  }
  if (problems.length > 0) {
    throw new KineoError('spec', 'dataset.augmentation_config.flip_label_map is wrong', {
      where: problems.join('; '),
      remedy: `Pair each class with one other; the classes are ${[...labelMap.keys()].join(', ')}`,
    })
  }
  return flipped.some((index, own) => index !== own) ? flipped : null
}
