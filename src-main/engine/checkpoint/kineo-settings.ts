import { z } from 'zod'
import { KineoError } from '../../core/errors.ts'
import type { NetworkConfig } from '../index.ts'
import type { Checkpoint } from './checkpoint.ts'

const size = z.int().positive()
const common = {
  height: size,
  width: size,
  classCount: size,
  dropoutRatio: z.number().min(0).max(1),
}
const network = z.object({
  modelType: z.enum(['rgb', 'of', 'joint']),
  backbone: z.enum(['resnet_18', 'resnet_34', 'resnet_50', 'resnet_101', 'resnet_152']),
  inputType: z.enum(['2d', '3d']),
  rgbSequenceLength: size,
  ofSequenceLength: size,
  ...common,
  fusionFeatures: size,
})
/** As Kineo 0.1 wrote it in its first weeks, with one length for the only stream. */
const firstNetwork = z
  .object({
    modelType: z.enum(['rgb', 'of']),
    backbone: z.literal('resnet_18'),
    inputType: z.literal('2d'),
    sequenceLength: size,
    ...common,
  })
  .transform(({ sequenceLength, ...rest }): NetworkConfig => ({
    ...rest,
    rgbSequenceLength: sequenceLength,
    ofSequenceLength: sequenceLength,
    fusionFeatures: 64,
  }))

const kineoSettings = z.object({
  network: z.union([network, firstNetwork]).optional(),
  classNames: z.array(z.string()).optional(),
  extra: z.record(z.string(), z.json()),
})

/**
 * What Kineo keeps in a checkpoint beside PyTorch's keys: JSON text under `kineo`.
 * @returns null in files that others wrote.
 * @throws KineoError (input) when it is damaged or from a newer Kineo.
 */
export function parseKineoSettings(
  value: unknown,
  path: string,
): Pick<Checkpoint, 'network' | 'classNames' | 'extra'> | null {
  if (!(value instanceof Map)) return null
  const text: unknown = value.get('json')
  let content: unknown
  try {
    content = typeof text === 'string' ? JSON.parse(text) : undefined
  } catch {
    content = undefined
  }
  const parsed = kineoSettings.safeParse(content)
  if (parsed.success) {
    const { network, classNames, extra } = parsed.data
    return {
      ...(network === undefined ? {} : { network }),
      ...(classNames === undefined ? {} : { classNames }),
      extra,
    }
  }
  throw new KineoError('input', "Cannot read Kineo's settings in the checkpoint", {
    where: path,
    remedy: 'It may come from a newer Kineo; open it with that version',
    cause: parsed.error,
  })
}
