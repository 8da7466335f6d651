import { join } from 'node:path'
import { writeFileAtomic } from '../../core/atomic-file.ts'
import { KineoError } from '../../core/errors.ts'
import type { Stream, StreamInputs } from '../../core/streams.ts'
import { buildInferenceModel } from '../nets/inference-model.ts'
import { outputName, type NetworkConfig } from '../nets/network.ts'
import type { TensorMap } from '../tensor.ts'
import { float32Data, inputFeeds, openSession, type InferenceSession } from './session.ts'

export interface EvaluationOptions {
  network: NetworkConfig
  parameters: TensorMap
  threads?: number
  /** Folder into which `eval_model.onnx` is written; a 3D network's takes clips of any number of frames. */
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
    const model = buildInferenceModel(options.network, options.parameters, {}, 'any')
    if (options.artifactsFolder !== undefined) {
      await writeFileAtomic(join(options.artifactsFolder, 'eval_model.onnx'), model)
    }
    return new EvaluationSession(options.network, await openSession(model, options.threads))
  }

  /**
   * @param inputs The clips of every stream, in the shapes of `networkInputs`.
   * @param options.frames Frames of these clips, where they are other than the network's own; 3D only.
   * @returns [count, classCount]
   * @throws KineoError `input` when a stream is missing or too short, `usage` for other lengths in 2D.
   */
  async logits(
    inputs: StreamInputs,
    count: number,
    options: { frames?: Partial<Record<Stream, number>> } = {},
  ): Promise<Float32Array> {
    const network = withFrames(this.#network, options.frames ?? {})
    const results = await this.#session.run(inputFeeds(network, inputs, count))
    return float32Data(results[outputName])
  }

  async dispose(): Promise<void> {
    await this.#session.release()
  }
}

/** The network as it is for clips of other lengths. */
function withFrames(network: NetworkConfig, frames: Partial<Record<Stream, number>>): NetworkConfig {
  const { rgb = network.rgbSequenceLength, of = network.ofSequenceLength } = frames
  const same = rgb === network.rgbSequenceLength && of === network.ofSequenceLength
  if (!same && network.inputType === '2d') {
    throw new KineoError('usage', 'A 2D network takes clips of its own number of frames only')
  }
  return { ...network, rgbSequenceLength: rgb, ofSequenceLength: of }
}
