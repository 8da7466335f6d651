import type { BatchLoader, VideoSample } from '../../dataset/index.ts'
import type { NetworkConfig } from '../../engine/index.ts'
import type { TensorMap } from '../../engine/tensor.ts'
import type { Spec } from '../../spec/index.ts'
import { ClipScorer } from '../evaluation/clip-scorer.ts'
import { argmax, crossEntropy } from '../evaluation/metrics.ts'
import { scoreVideos } from '../evaluation/score-videos.ts'
import { segmentLoader } from '../network/clip-loader.ts'

/** Center evaluation of the validation videos, again and again during a training. */
export class Validation {
  readonly #samples: readonly VideoSample[]
  readonly #network: NetworkConfig
  readonly #loader: BatchLoader
  #seconds = 0

  constructor(spec: Spec, network: NetworkConfig, samples: VideoSample[]) {
    this.#samples = samples
    this.#network = network
    const batchSize = Math.min(spec.dataset.batch_size, samples.length)
    this.#loader = segmentLoader(spec, samples, { mode: 'center', segmentCount: 1, batchSize })
  }

  /** How long the last one took. */
  get seconds(): number {
    return this.#seconds
  }

  /**
   * @returns Mean cross-entropy (unweighted, against the class itself) and share of right videos, 0..1.
   * @throws CancelledError between two batches.
   */
  async run(
    parameters: TensorMap,
    signal: AbortSignal | undefined,
  ): Promise<{ loss: number; accuracy: number }> {
    const startedAt = performance.now()
    const scorer = await ClipScorer.create(this.#network, parameters)
    try {
      const scored = await scoreVideos(scorer, this.#loader.epoch(0, signal), this.#samples.length, {
        signal,
      })
      let loss = 0
      let right = 0
      scored.forEach(({ segments }, i) => {
        const logits = segments[0]?.logits ?? []
        const truth = this.#samples[i]?.classIndex ?? -1
        loss += crossEntropy(logits, truth)
        if (argmax(logits) === truth) right += 1
      })
      return { loss: loss / scored.length, accuracy: right / scored.length }
    } finally {
      await scorer.dispose()
      this.#seconds = (performance.now() - startedAt) / 1000
    }
  }

  async dispose(): Promise<void> {
    await this.#loader.dispose()
  }
}
