import { type Checkpoint, readCheckpoint } from '../../engine/checkpoint/index.ts'
import type { NetworkConfig } from '../../engine/index.ts'
import type { Spec } from '../../spec/index.ts'
import type { TaskHooks } from '../hooks.ts'
import { resolveClassNames } from './class-names.ts'
import { assertWeightsFit } from './network-of-weights.ts'
import { preprocessingNotes } from './preprocessing.ts'
import { networkOf } from './spec-network.ts'

/** A trained network that fits the spec. */
export interface TrainedNetwork {
  checkpoint: Checkpoint
  network: NetworkConfig
  classNames: string[]
}

/**
 * Reads a checkpoint for evaluation, inference or export, with `encryption_key` when it is encrypted. Says on
 * `hooks.onLine` where the spec differs from what it was trained with.
 * @throws KineoError when the file is no checkpoint, or its network or classes are not those of the spec.
 */
export async function openTrainedNetwork(
  path: string,
  spec: Spec,
  hooks: TaskHooks,
): Promise<TrainedNetwork> {
  const checkpoint = await readCheckpoint(path, { encryptionKey: spec.encryption_key ?? undefined })
  const { classNames, note } = resolveClassNames(spec, checkpoint, path)
  const network = networkOf(spec, classNames.length)
  assertWeightsFit(network, checkpoint.parameters, path)
  const notes = preprocessingNotes(checkpoint.extra['preprocessing'], spec)
  for (const line of note === null ? notes : [note, ...notes]) hooks.onLine?.(line)
  return { checkpoint, network, classNames }
}
