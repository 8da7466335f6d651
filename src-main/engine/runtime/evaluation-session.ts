import { join } from 'node:path'
import { writeFileAtomic } from '../../core/atomic-file.ts'
import { KineoError } from '../../core/errors.ts'
import { buildInferenceModel } from '../nets/inference-model.ts'
import { inputName, inputShape, outputName, type NetworkConfig } from '../nets/network.ts'
import { elementCount } from '../onnx/shape-inference.ts'
import type { TensorMap } from '../tensor.ts'
import { float32Data, float32Tensor, openSession, type InferenceSession } from './session.ts'

export interface EvaluationOptions {
  network: NetworkConfig
  parameters: TensorMap
  threads?: number
  /** Folder into which `eval_model.onnx` is written. */
  artifactsFolder?: string
}

/**
 * Runs a network with fixed weights. They stand in the model as initializers, so that ONNX Runtime folds the batch
 * normalisations into the convolutions and takes its blocked layout. A run blocks its thread.
 */
export class EvaluationSession {
  readonly #network: NetworkConfig
  readonly #session: InferenceSession

  private constructor(network: NetworkConfig, session: InferenceSession) {
    this.#network = network
    this.#session = session
  }

  /** @throws KineoError `input` when the parameters do not fit the network. */
  static async create(options: EvaluationOptions): Promise<EvaluationSession> {
    const model = buildInferenceModel(options.network, options.parameters, {})
    if (options.artifactsFolder !== undefined) {
      await writeFileAtomic(join(options.artifactsFolder, 'eval_model.onnx'), model)
    }
    return new EvaluationSession(options.network, await openSession(model, options.threads))
  }

  /**
   * @param input [count, channels, height, width]
   * @returns [count, classCount]
   */
  async logits(input: Float32Array, count: number): Promise<Float32Array> {
    const shape = inputShape(this.#network, count)
    const size = elementCount(shape)
    if (input.length < size) {
      throw new KineoError('input', `A batch of ${count} clips is too short`, {
        where: `${input.length} values`,
      })
    }
    const feeds = { [inputName(this.#network.modelType)]: float32Tensor(input.subarray(0, size), shape) }
    const results = await this.#session.run(feeds)
    return float32Data(results[outputName])
  }

  async dispose(): Promise<void> {
    await this.#session.release()
  }
}
