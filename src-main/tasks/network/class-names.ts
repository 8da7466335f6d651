import { KineoError } from '../../core/errors.ts'
import type { Checkpoint } from '../../engine/checkpoint/index.ts'
import type { Spec } from '../../spec/index.ts'

/** Class names in the order of their indices. */
export function classNamesOf(labelMap: Readonly<Record<string, number>>): string[] {
  return Object.entries(labelMap)
    .sort(([, a], [, b]) => a - b)
    .map(([name]) => name)
}

/** The map from class name to index that belongs to `classNames`. */
export function labelMapOf(classNames: readonly string[]): Map<string, number> {
  return new Map(classNames.map((name, index) => [name, index]))
}

/**
 * The class names of a spec, or of the checkpoint when the spec has none.
 * @returns The names and, when both are there and differ in wording only, a note about it.
 * @throws KineoError when neither has them (spec), when the counts differ, or when the same names stand in another
 * order (input): predictions would get wrong names.
 */
export function resolveClassNames(
  spec: Spec,
  checkpoint: Checkpoint,
  path: string,
): { classNames: string[]; note: string | null } {
  const trained = checkpoint.classNames
  const labelMap = spec.dataset.label_map
  if (labelMap === null) {
    if (trained === undefined) {
      throw new KineoError('spec', 'dataset.label_map is missing, and the checkpoint names no classes', {
        where: path,
        remedy: 'Add the label_map that it was trained with to the spec',
      })
    }
    return { classNames: trained, note: null }
  }
  const given = classNamesOf(labelMap)
  if (trained === undefined || trained.join('\0') === given.join('\0'))
    return { classNames: given, note: null }
  if (trained.length !== given.length) {
    throw new KineoError(
      'input',
      `The checkpoint knows ${trained.length} classes (${trained.join(', ')}), dataset.label_map has ${given.length} (${given.join(', ')})`,
      { where: path, remedy: 'Use the label_map that it was trained with, or leave it out of the spec' },
    )
  }
  if ([...trained].sort().join('\0') === [...given].sort().join('\0')) {
    throw new KineoError(
      'input',
      `dataset.label_map has the classes of the checkpoint in another order (trained: ${trained.join(', ')})`,
      { where: path, remedy: 'Use the label_map that it was trained with, or leave it out of the spec' },
    )
  }
  return {
    classNames: given,
    note: `The checkpoint was trained with other class names (${trained.join(', ')}); the label_map of the spec is used.`,
  }
}
