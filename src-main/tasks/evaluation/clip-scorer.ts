import { channelsOf, streamsOf, type StreamInputs } from '../../core/streams.ts'
import { EvaluationSession, type NetworkConfig } from '../../engine/index.ts'
import type { TensorMap } from '../../engine/tensor.ts'

/**
 * Runs clips through a network. A 3D network takes clips of any length (mode `all` gives it whole videos); each length
 * needs a session of its own, of which one is kept beside that of the usual length.
 */
export class ClipScorer {
  readonly #network: NetworkConfig
  readonly #parameters: TensorMap
  readonly #usual: EvaluationSession
  #other: { length: string; session: EvaluationSession } | null = null

  private constructor(network: NetworkConfig, parameters: TensorMap, usual: EvaluationSession) {
    this.#network = network
    this.#parameters = parameters
    this.#usual = usual
  }

  /** @throws KineoError `input` when the parameters do not fit the network. */
  static async create(network: NetworkConfig, parameters: TensorMap): Promise<ClipScorer> {
    return new ClipScorer(network, parameters, await EvaluationSession.create({ network, parameters }))
  }

  get classCount(): number {
    return this.#network.classCount
  }

  /** @returns [count, classes] */
  async logits(inputs: StreamInputs, count: number): Promise<Float32Array> {
    const session = await this.#sessionFor(inputs, count)
    return await session.logits(inputs, count)
  }

  async dispose(): Promise<void> {
    await this.#usual.dispose()
    await this.#other?.session.dispose()
  }

  async #sessionFor(inputs: StreamInputs, count: number): Promise<EvaluationSession> {
    const network = { ...this.#network }
    for (const stream of streamsOf(network.modelType)) {
      const frame = channelsOf(stream) * network.height * network.width
      const frames = (inputs[stream]?.length ?? 0) / (count * frame)
      if (stream === 'rgb') network.rgbSequenceLength = frames
      else network.ofSequenceLength = frames
    }
    const { rgbSequenceLength, ofSequenceLength } = this.#network
    if (
      network.inputType === '2d' ||
      (network.rgbSequenceLength === rgbSequenceLength && network.ofSequenceLength === ofSequenceLength)
    ) {
      return this.#usual
    }
    const length = `${network.rgbSequenceLength} ${network.ofSequenceLength}`
    if (this.#other?.length !== length) {
      await this.#other?.session.dispose()
      this.#other = null
      const session = await EvaluationSession.create({ network, parameters: this.#parameters })
      this.#other = { length, session }
    }
    return this.#other.session
  }
}
