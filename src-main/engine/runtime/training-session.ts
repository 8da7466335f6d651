import { join } from 'node:path'
import { writeFileAtomic } from '../../core/atomic-file.ts'
import { KineoError } from '../../core/errors.ts'
import { Random } from '../../core/random.ts'
import type { StreamInputs } from '../../core/streams.ts'
import { planLowerings, type LoweringChoice, type LoweringPlan } from '../nets/lowering-plan.ts'
import type { NetworkConfig } from '../nets/network.ts'
import type { TrainingState } from '../nets/parameters.ts'
import { buildTrainingModel, stepNames, type TrainingModel } from '../nets/training-model.ts'
import { elementCount } from '../onnx/shape-inference.ts'
import { float32Tensor, inputFeeds, openSession, type Feeds, type InferenceSession } from './session.ts'
import { targetRows } from './targets.ts'
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
  /** The clips of every stream; what stands behind `count` samples is not read. */
  inputs: StreamInputs
  /** Class index of each sample. */
  labels: Int32Array
  /**
   * What the loss compares with, [count, classCount] of zero or more: rows that are not one-hot express label smoothing
   * and mixup, rows that do not sum to one class weights. One-hot rows of `labels` when missing.
   */
  targets?: Float32Array | null
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
  /** Dropout masks, in the order of the model. */
  masks: Float32Array[]
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
    session.#programs.set(batchSize, await session.#program(built, batchSize))
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
   * @param dropoutSeed What the dropout masks are drawn from, such as seed, epoch and step; unused without dropout.
   * @throws KineoError `input` when the batch does not fit the network or a target is no number of zero or more.
   */
  async step(
    batch: TrainingBatch,
    hyper: Hyperparameters,
    dropoutSeed: readonly number[],
  ): Promise<StepResult> {
    const { network } = this.#options
    const { count } = batch
    const program = await this.#programFor(count)
    const inputs = inputFeeds(network, batch.inputs, count)
    program.target.set(targetRows(batch, network.classCount))
    fillMasks(program.masks, network.dropoutRatio, dropoutSeed)
    this.#scalars.learningRate[0] = hyper.learningRate
    this.#scalars.momentum[0] = hyper.momentum
    this.#scalars.weightDecay[0] = hyper.weightDecay

    const { feeds, fetches } = this.#state.ports
    await program.session.run({ ...program.feeds, ...feeds, ...inputs }, { ...program.fetches, ...fetches })
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
    const program = await this.#program(buildModel(this.#options, this.#plan, count), count)
    this.#programs.set(count, program)
    return program
  }

  async #program({ model, masks }: TrainingModel, count: number): Promise<Program> {
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
    const maskData = masks.map(({ name, shape }) => {
      const data = new Float32Array(elementCount(shape))
      feeds[name] = float32Tensor(data, shape)
      return data
    })
    return { session, target, masks: maskData, feeds, fetches, loss, logits, gradNorm }
  }
}

function buildModel(
  { network, clipGradNorm }: TrainingOptions,
  plan: LoweringPlan,
  batch: number,
): TrainingModel {
  return buildTrainingModel({
    network,
    batch,
    clip: clipGradNorm > 0,
    activation: 'relu',
    result: 'update',
    plan,
  })
}

/** Keeps a feature with probability 1 - ratio and scales it so that the mean stays (inverted dropout, as torch). */
function fillMasks(masks: readonly Float32Array[], ratio: number, seed: readonly number[]): void {
  if (masks.length === 0) return
  const random = new Random(...seed)
  const kept = 1 / (1 - ratio)
  for (const mask of masks) {
    for (let i = 0; i < mask.length; i++) mask[i] = random.uniform() < ratio ? 0 : kept
  }
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
