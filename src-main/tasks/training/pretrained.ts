import { streamsOf } from '../../core/streams.ts'
import { initialState, type NetworkConfig, type TrainingState } from '../../engine/index.ts'
import type { TensorMap } from '../../engine/tensor.ts'
import { adaptWeights, describeAdaptation, readWeights } from '../../engine/weights/index.ts'
import type { Spec } from '../../spec/index.ts'
import type { TaskHooks } from '../hooks.ts'

/**
 * The state of a new training: random from the seed, then what the `*_pretrained_model_path` keys of the network's
 * streams give, and of a joint network `joint_pretrained_model_path`, which stands above the others. What matched, was
 * converted and stayed random is told on `hooks.onLine`.
 *
 * @throws KineoError (input) when a file cannot be read or does not fit.
 */
export async function newTrainingState(
  spec: Spec,
  network: NetworkConfig,
  hooks: TaskHooks,
): Promise<TrainingState> {
  const { model } = spec
  const state = initialState(network, spec.train.seed)
  const take = (tensors: TensorMap): void => {
    for (const [name, tensor] of tensors) state.parameters.set(name, tensor)
  }
  const isJoint = network.modelType === 'joint'
  const whole = isJoint ? model.joint_pretrained_model_path : null
  for (const stream of streamsOf(network.modelType)) {
    const path = model[`${stream}_pretrained_model_path`]
    if (path === null) continue
    if (whole !== null) {
      hooks.onLine?.(
        `model.${stream}_pretrained_model_path is not used: model.joint_pretrained_model_path has the weights of both streams.`,
      )
      continue
    }
    const keepHead = model[`${stream}_pretrained_num_classes`] === 0
    take(await fitted(path, spec, network, { keepHead, prefix: isJoint ? `model_${stream}` : null }, hooks))
  }
  if (whole !== null) take(await fitted(whole, spec, network, { keepHead: true, prefix: null }, hooks))
  return state
}

async function fitted(
  path: string,
  spec: Spec,
  network: NetworkConfig,
  part: { keepHead: boolean; prefix: 'model_rgb' | 'model_of' | null },
  hooks: TaskHooks,
): Promise<TensorMap> {
  const { tensors, notes } = await readWeights(path, { encryptionKey: spec.encryption_key ?? undefined })
  const { parameters, report } = adaptWeights(tensors, network, {
    rescale: spec.model.pretrained_rescale,
    keepHead: part.keepHead,
    where: path,
    ...(part.prefix === null ? {} : { prefix: part.prefix }),
  })
  const title = `Pretrained weights ${path}${part.prefix === null ? '' : ` (${part.prefix})`}`
  for (const line of [...describeAdaptation(report, title), ...notes]) hooks.onLine?.(line)
  return parameters
}
