import type { z } from 'zod'
import { integer, numberList } from '../key-kinds.ts'

const oneDevice =
  'Several devices are accepted, and this version uses one, the processor. When num_gpus and gpu_ids disagree, the larger counts, as in TAO.'

/** The keys with which TAO chooses GPUs; train, evaluate and inference each have them. */
export const deviceKeys = {
  num_gpus: integer(1, 1, { meaning: 'Number of GPUs to use.', tao: oneDevice }),
  gpu_ids: numberList(
    'a list of GPU numbers, such as [0]',
    (list) => list.length > 0 && list.every((id) => Number.isSafeInteger(id) && id >= 0),
    [0],
    { meaning: 'Which GPUs to use, counted from 0.', tao: oneDevice },
  ),
} satisfies z.ZodRawShape

/** The larger of the two wishes, as TAO resolves them: `{num_gpus: 1, gpu_ids: [0, 1]}` means two. */
export function agreeOnDevices<T extends { num_gpus: number; gpu_ids: number[] }>(group: T): T {
  const { num_gpus: count, gpu_ids: ids } = group
  if (ids.length === count) return group
  if (ids.length > count) return { ...group, num_gpus: ids.length }
  return { ...group, gpu_ids: Array.from({ length: count }, (_, i) => i) }
}
