import { channelsOf, streamsOf, type Stream, type StreamInputs } from '../../core/streams.ts'
import { EvaluationSession, type NetworkConfig } from '../../engine/index.ts'
import type { TensorMap } from '../../engine/tensor.ts'

/** Runs clips through a network; a 3D network takes clips of any length (mode `all` gives it whole videos). */
export class ClipScorer {
  readonly #network: NetworkConfig
  readonly #session: EvaluationSession

  private constructor(network: NetworkConfig, session: EvaluationSession) {
    this.#network = network
    this.#session = session
  }

  /** @throws KineoError `input` when the parameters do not fit the network. */
  static async create(network: NetworkConfig, parameters: TensorMap): Promise<ClipScorer> {
    return new ClipScorer(network, await EvaluationSession.create({ network, parameters }))
  }

  get classCount(): number {
    return this.#network.classCount
  }

  /** @returns [count, classes] */
  async logits(inputs: StreamInputs, count: number): Promise<Float32Array> {
    const { inputType, modelType, height, width } = this.#network
    const frames: Partial<Record<Stream, number>> = {}
    if (inputType === '3d') {
      for (const stream of streamsOf(modelType)) {
        frames[stream] = (inputs[stream]?.length ?? 0) / (count * channelsOf(stream) * height * width)
      }
    }
    return await this.#session.logits(inputs, count, { frames })
  }

  async dispose(): Promise<void> {
    await this.#session.dispose()
  }
}
