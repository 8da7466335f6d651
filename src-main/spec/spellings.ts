import type { SpecProblem } from './problem.ts'
import { deleteKey, getKey, isTree, setKey, type SpecSource } from './source.ts'

/** Other names for keys: the documentation page's on the left, the code's, which we keep, on the right. */
export const otherSpellings: ReadonlyMap<string, readonly string[]> = new Map([
  ['dataset.output_shape', ['model.input_height', 'model.input_width']],
  ['dataset.augmentation_config.of_input_rgb', ['dataset.augmentation_config.of_input_std']],
])

/** `resnet18` of the page is `resnet_18` in the code; the page has no resnet152 and no i3d. */
const backboneSpelling = /^resnet(18|34|50|101|152)$/

/**
 * Brings every key and value of `source` to the code's spelling, in place, with its place.
 * @returns Problems: two spellings of one thing that disagree, or an output_shape that is no pair.
 */
export function unifySpellings(source: SpecSource): SpecProblem[] {
  const problems: SpecProblem[] = []
  const { tree, places } = source

  const backbone = getKey(tree, 'model.backbone')
  if (typeof backbone === 'string') {
    const match = backboneSpelling.exec(backbone)
    if (match !== null) setKey(tree, ['model', 'backbone'], `resnet_${match[1]}`)
  }

  for (const [other, names] of otherSpellings) {
    const given = getKey(tree, other)
    if (given === undefined) continue
    const isShape = names.length > 1
    if (isShape && !(Array.isArray(given) && given.length === names.length)) {
      const message = 'must be a list of height and width, such as [224, 224]'
      problems.push({ key: other, message, place: places.get(other) ?? null })
      deleteKey(tree, other)
      continue
    }
    names.forEach((name, i) => {
      const value: unknown = isShape ? (given as unknown[])[i] : given
      const existing = getKey(tree, name)
      if (existing !== undefined && JSON.stringify(existing) !== JSON.stringify(value)) {
        problems.push({
          key: other,
          message: `says ${JSON.stringify(value)}, but ${name} says ${JSON.stringify(existing)}; keep one of the two`,
          place: places.get(other) ?? null,
        })
        return
      }
      const section = getKey(tree, name.slice(0, name.lastIndexOf('.')))
      if (section !== undefined && section !== null && !isTree(section)) return
      setKey(tree, name.split('.'), value)
      const place = places.get(other)
      if (place !== undefined && !places.has(name)) places.set(name, place)
    })
    deleteKey(tree, other)
  }
  return problems
}
