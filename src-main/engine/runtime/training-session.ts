import { join } from 'node:path'
import { writeFileAtomic } from '../../core/atomic-file.ts'
import { KineoError } from '../../core/errors.ts'
import { Random } from '../../core/random.ts'
import { planLowerings, type LoweringChoice, type LoweringPlan } from '../nets/lowering-plan.ts'
import { inputName, inputShape, type NetworkConfig } from '../nets/network.ts'
import type { TrainingState } from '../nets/parameters.ts'
import { buildTrainingModel, stepNames } from '../nets/training-model.ts'
import { elementCount } from '../onnx/shape-inference.ts'
import { float32Tensor, openSession, type Feeds, type InferenceSession } from './session.ts'
import { DeviceState } from './training-state.ts'

export interface TrainingOptions {
  network: NetworkConfig
  batchSize: number
  /** Largest joint norm of the gradients; 0 leaves them as they are. */
  clipGradNorm: number
  threads?: number
  lowering?: LoweringChoice
  /** Folder into which `training_model.onnx` is written. */
  artifactsFolder?: string
}

export interface TrainingBatch {
  /** [count, channels, height, width]; what stands behind `count` samples is not read. */
  input: Float32Array
  /** Class index of each sample. */
  labels: Int32Array
  /** Number of samples, 1 to the batch size. */
  count: number
}

export interface Hyperparameters {
  learningRate: number
  momentum: number
  weightDecay: number
}

export interface StepResult {
  /** Mean cross-entropy over the samples. */
  loss: number
  /** Samples whose largest logit is that of their class. */
  correct: number
  /** Joint norm of the gradients before clipping; null when clipping is off. */
  gradNorm: number | null
}

/** A session for one number of samples, with the buffers it is fed from. */
interface Program {
  session: InferenceSession
  target: Float32Array
  mask: Float32Array | undefined
  feeds: Feeds
  fetches: Feeds
  loss: Float32Array
  logits: Float32Array
  gradNorm: Float32Array | undefined
}

/**
 * Trains a network on the CPU. One step is one run of `training_model.onnx`; parameters stay in the session's own
 * buffers. A run blocks its thread, so train in a process or thread of its own.
 */
export class TrainingSession {
  readonly #options: TrainingOptions
  readonly #plan: LoweringPlan
  readonly #state: DeviceState
  readonly #programs = new Map<number, Program>()
  readonly #scalars: Record<keyof Hyperparameters | 'maxNorm', Float32Array> = {
    learningRate: new Float32Array(1),
    momentum: new Float32Array(1),
    weightDecay: new Float32Array(1),
    maxNorm: new Float32Array(1),
  }

  private constructor(options: TrainingOptions, plan: LoweringPlan, state: DeviceState) {
    this.#options = options
    this.#plan = plan
    this.#state = state
    this.#scalars.maxNorm[0] = options.clipGradNorm
  }

  /**
   * Writes the training model and opens it. The state is undefined until `load`.
   * @throws KineoError `usage` for sizes that cannot be trained, `output` or `machine` when the file cannot be
   *   written or the session not be opened.
   */
  static async create(options: TrainingOptions): Promise<TrainingSession> {
    const { network, batchSize, clipGradNorm } = options
    if (!Number.isSafeInteger(batchSize) || batchSize < 1) {
      throw new KineoError('usage', `A batch cannot have ${batchSize} samples`)
    }
    if (!(clipGradNorm >= 0)) throw new KineoError('usage', `Gradients cannot be clipped at ${clipGradNorm}`)
    const plan = planLowerings(network, batchSize, options.lowering ?? 'auto')
    const built = buildModel(options, plan, batchSize)
    if (options.artifactsFolder !== undefined) {
      await writeFileAtomic(join(options.artifactsFolder, 'training_model.onnx'), built.model)
    }
    const session = new TrainingSession(options, plan, new DeviceState(network, built))
    session.#programs.set(batchSize, await session.#program(built.model, batchSize))
    return session
  }

  /** Lowering in use for each convolution, by name. */
  get lowerings(): LoweringPlan {
    return this.#plan
  }

  /** Copies a state in. @throws KineoError `input` when it does not fit the network. */
  load(state: TrainingState): void {
    this.#state.load(state)
  }

  /** Copies the state out, in torch's names and layouts. */
  save(): TrainingState {
    return this.#state.save()
  }

  /**
   * One step of SGD.
   * @param dropoutSeed What the dropout mask is drawn from, such as seed, epoch and step; unused without dropout.
   */
  async step(
    batch: TrainingBatch,
    hyper: Hyperparameters,
    dropoutSeed: readonly number[],
  ): Promise<StepResult> {
    const { network } = this.#options
    const { count } = batch
    const program = await this.#programFor(count)
    const shape = inputShape(network, count)
    const size = elementCount(shape)
    if (batch.input.length < size || batch.labels.length < count) {
      throw new KineoError('input', `A batch of ${count} clips is too short`, {
        where: `${batch.input.length} values`,
      })
    }
    fillTarget(program.target, batch.labels, count, network.classCount)
    if (program.mask !== undefined) fillMask(program.mask, network.dropoutRatio, dropoutSeed)
    this.#scalars.learningRate[0] = hyper.learningRate
    this.#scalars.momentum[0] = hyper.momentum
    this.#scalars.weightDecay[0] = hyper.weightDecay

    const input = float32Tensor(batch.input.subarray(0, size), shape)
    const { feeds, fetches } = this.#state.ports
    await program.session.run(
      { ...program.feeds, ...feeds, [inputName(network.modelType)]: input },
      { ...program.fetches, ...fetches },
    )
    this.#state.advance()
    return {
      loss: program.loss[0] ?? Number.NaN,
      correct: countCorrect(program.logits, batch.labels, count, network.classCount),
      gradNorm: program.gradNorm?.[0] ?? null,
    }
  }

  async dispose(): Promise<void> {
    for (const { session } of this.#programs.values()) await session.release()
    this.#programs.clear()
  }

  /** The last batch of an epoch may be smaller; it gets a program of its own, of which one is kept. */
  async #programFor(count: number): Promise<Program> {
    const { batchSize } = this.#options
    if (!Number.isSafeInteger(count) || count < 1 || count > batchSize) {
      throw new KineoError('input', `A batch has ${count} clips where 1 to ${batchSize} are expected`)
    }
    const known = this.#programs.get(count)
    if (known !== undefined) return known
    for (const [size, { session }] of this.#programs) {
      if (size === batchSize) continue
      this.#programs.delete(size)
      await session.release()
    }
    const { model } = buildModel(this.#options, this.#plan, count)
    const program = await this.#program(model, count)
    this.#programs.set(count, program)
    return program
  }

  async #program(model: Uint8Array, count: number): Promise<Program> {
    const { network, clipGradNorm } = this.#options
    const session = await openSession(model, this.#options.threads)
    const target = new Float32Array(count * network.classCount)
    const logits = new Float32Array(count * network.classCount)
    const loss = new Float32Array(1)
    const gradNorm = clipGradNorm > 0 ? new Float32Array(1) : undefined
    const feeds: Feeds = {
      [stepNames.target]: float32Tensor(target, [count, network.classCount]),
      [stepNames.learningRate]: float32Tensor(this.#scalars.learningRate, []),
      [stepNames.momentum]: float32Tensor(this.#scalars.momentum, []),
      [stepNames.weightDecay]: float32Tensor(this.#scalars.weightDecay, []),
    }
    const fetches: Feeds = {
      [stepNames.loss]: float32Tensor(loss, []),
      [stepNames.logits]: float32Tensor(logits, [count, network.classCount]),
    }
    if (gradNorm !== undefined) {
      feeds[stepNames.maxNorm] = float32Tensor(this.#scalars.maxNorm, [])
      fetches[stepNames.gradNorm] = float32Tensor(gradNorm, [])
    }
    let mask: Float32Array | undefined
    if (network.dropoutRatio > 0) {
      const features = session.inputMetadata.find((meta) => meta.name === stepNames.dropoutMask) ?? undefined
      const width = features?.isTensor ? Number(features.shape[1]) : Number.NaN
      mask = new Float32Array(count * width)
      feeds[stepNames.dropoutMask] = float32Tensor(mask, [count, width])
    }
    return { session, target, mask, feeds, fetches, loss, logits, gradNorm }
  }
}

function buildModel(
  { network, clipGradNorm }: TrainingOptions,
  plan: LoweringPlan,
  batch: number,
): ReturnType<typeof buildTrainingModel> {
  return buildTrainingModel({
    network,
    batch,
    clip: clipGradNorm > 0,
    activation: 'relu',
    result: 'update',
    plan,
  })
}

/** One-hot rows. */
function fillTarget(target: Float32Array, labels: Int32Array, count: number, classCount: number): void {
  target.fill(0)
  for (let sample = 0; sample < count; sample++) {
    const label = labels[sample] ?? -1
    if (label < 0 || label >= classCount) {
      throw new KineoError('input', `A clip has class ${label} where 0 to ${classCount - 1} are expected`)
    }
    target[sample * classCount + label] = 1
  }
}

/** Keeps a feature with probability 1 - ratio and scales it so that the mean stays (inverted dropout, as torch). */
function fillMask(mask: Float32Array, ratio: number, seed: readonly number[]): void {
  const random = new Random(...seed)
  const kept = 1 / (1 - ratio)
  for (let i = 0; i < mask.length; i++) mask[i] = random.uniform() < ratio ? 0 : kept
}

function countCorrect(logits: Float32Array, labels: Int32Array, count: number, classCount: number): number {
  let correct = 0
  for (let sample = 0; sample < count; sample++) {
    const row = logits.subarray(sample * classCount, (sample + 1) * classCount)
    let best = 0
    for (let k = 1; k < classCount; k++) if ((row[k] ?? 0) > (row[best] ?? 0)) best = k
    if (best === labels[sample]) correct++
  }
  return correct
}
