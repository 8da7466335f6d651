import { join } from 'node:path'
import { writeFileAtomic } from '../../core/atomic-file.ts'
import { KineoError } from '../../core/errors.ts'
import { Random } from '../../core/random.ts'
import type { StreamInputs } from '../../core/streams.ts'
import { planLowerings, type LoweringChoice, type LoweringPlan } from '../nets/lowering-plan.ts'
import type { NetworkConfig } from '../nets/network.ts'
import type { TrainingState } from '../nets/parameters.ts'
import { mostFrozenStages } from '../nets/frozen-stages.ts'
import { buildOptimizerModel } from '../nets/optimizer-model.ts'
import { stepNames } from '../nets/step-names.ts'
import { buildTrainingModel, type TrainingModel } from '../nets/training-model.ts'
import { elementCount } from '../onnx/shape-inference.ts'
import type { TensorMap } from '../tensor.ts'
import { float32Tensor, inputFeeds, openSession, type Feeds, type InferenceSession } from './session.ts'
import { targetRows } from './targets.ts'
import { DeviceState } from './training-state.ts'
import { WeightAverage, type SavedAverage } from './weight-average.ts'

export interface TrainingOptions {
  network: NetworkConfig
  batchSize: number
  /** Largest joint norm of the gradients; 0 leaves them as they are. */
  clipGradNorm: number
  threads?: number
  lowering?: LoweringChoice
  /**
   * Leading stages of each stream that are not trained: 0 none, 1 the stem (conv1, bn1), 2 also layer1, ... 5 all but the
   * last layer. Their batch normalisations use the running statistics and leave them as they are.
   */
  frozenStages?: number
  /** Whether `step` may leave the weights alone and add the gradients of several batches. */
  accumulate?: boolean
  /** Above 0, an exponential moving average of the weights with this decay is kept. */
  emaDecay?: number
  /** Folder into which `training_model.onnx` is written, when accumulating also `optimizer_model.onnx`. */
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
  /** Joint norm of the gradients before clipping; null when clipping is off or the weights were left alone. */
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
}

/**
 * Trains a network on the CPU. One step is one run of `training_model.onnx`; parameters stay in the session's own
 * buffers. A run blocks its thread, so train in a process or thread of its own.
 */
export class TrainingSession {
  readonly #options: TrainingOptions
  readonly #plan: LoweringPlan
  readonly #state: DeviceState
  readonly #average: WeightAverage | undefined
  readonly #programs = new Map<number, Program>()
  /** The optimizer alone, where gradients are accumulated. */
  readonly #optimizer: InferenceSession | undefined
  /** Clips whose gradients are summed and not applied yet. */
  #pendingSamples = 0
  readonly #scalars: Record<keyof Hyperparameters | 'maxNorm' | 'samples' | 'gradNorm', Float32Array> = {
    learningRate: new Float32Array(1),
    momentum: new Float32Array(1),
    weightDecay: new Float32Array(1),
    maxNorm: new Float32Array(1),
    samples: new Float32Array(1),
    gradNorm: new Float32Array(1),
  }

  private constructor(
    options: TrainingOptions,
    plan: LoweringPlan,
    state: DeviceState,
    optimizer: InferenceSession | undefined,
  ) {
    const { clipGradNorm, emaDecay = 0 } = options
    this.#options = options
    this.#plan = plan
    this.#state = state
    this.#optimizer = optimizer
    this.#average = emaDecay > 0 ? new WeightAverage(emaDecay, state) : undefined
    this.#scalars.maxNorm[0] = clipGradNorm
  }

  /**
   * Writes the training model and opens it. The state is undefined until `load`.
   * @throws KineoError `usage` for sizes that cannot be trained, `output` or `machine` when the file cannot be
   *   written or the session not be opened.
   */
  static async create(options: TrainingOptions): Promise<TrainingSession> {
    const { network, batchSize, clipGradNorm, frozenStages = 0, accumulate = false, emaDecay = 0 } = options
    if (!Number.isSafeInteger(batchSize) || batchSize < 1) {
      throw new KineoError('usage', `A batch cannot have ${batchSize} samples`)
    }
    if (!(clipGradNorm >= 0)) throw new KineoError('usage', `Gradients cannot be clipped at ${clipGradNorm}`)
    if (!Number.isSafeInteger(frozenStages) || frozenStages < 0 || frozenStages > mostFrozenStages) {
      throw new KineoError(
        'usage',
        `Of a network 0 to ${mostFrozenStages} stages can be frozen, not ${frozenStages}`,
      )
    }
    if (!(emaDecay >= 0 && emaDecay < 1)) {
      throw new KineoError('usage', `The decay of an average of the weights is 0 to below 1, not ${emaDecay}`)
    }
    const plan = planLowerings(network, batchSize, options.lowering ?? 'auto')
    const built = buildModel(options, plan, batchSize)
    const folder = options.artifactsFolder
    if (folder !== undefined) await writeFileAtomic(join(folder, 'training_model.onnx'), built.model)
    let optimizer: InferenceSession | undefined
    if (accumulate) {
      const model = buildOptimizerModel(built.weights, clipGradNorm > 0)
      if (folder !== undefined) await writeFileAtomic(join(folder, 'optimizer_model.onnx'), model)
      optimizer = await openSession(model, options.threads)
    }
    const state = new DeviceState(network, built, accumulate)
    const session = new TrainingSession(options, plan, state, optimizer)
    session.#programs.set(batchSize, await session.#program(built, batchSize))
    return session
  }

  /** Lowering in use for each convolution, by name. */
  get lowerings(): LoweringPlan {
    return this.#plan
  }

  /**
   * Copies a state in. Gradients that wait to be applied are forgotten.
   * @param average Where the moving average of the weights goes on from; without it, it starts at this state.
   * @throws KineoError `input` when it does not fit the network.
   */
  load(state: TrainingState, average?: SavedAverage): void {
    this.#state.load(state)
    this.#pendingSamples = 0
    this.#average?.start(average)
  }

  /** Copies the state out, in torch's names and layouts. */
  save(): TrainingState {
    return this.#state.save()
  }

  /**
   * Copies the moving average of the weights and running statistics out, in torch's names and layouts.
   * @throws Error when none is kept.
   */
  saveEma(): TensorMap {
    return this.saveAverage().parameters
  }

  /** As saveEma, with what `load` wants back to go on. */
  saveAverage(): SavedAverage {
    if (this.#average === undefined) throw new Error('no average of the weights is kept')
    return this.#average.save()
  }

  /**
   * One step of SGD.
   * @param options.apply False, where gradients are accumulated: adds the gradients of this batch to those that wait
   *   and leaves the weights alone. The next step that applies them takes the mean over the clips of all batches, as
   *   one large batch would, but for the batch normalisations, which see each batch by itself.
   * @param dropoutSeed What the dropout masks are drawn from, such as seed, epoch and step; unused without dropout.
   * @throws KineoError `input` when the batch does not fit the network or a target is no number of zero or more.
   */
  async step(
    batch: TrainingBatch,
    hyper: Hyperparameters,
    dropoutSeed: readonly number[],
    options: { apply: boolean } = { apply: true },
  ): Promise<StepResult> {
    const { network, clipGradNorm } = this.#options
    const optimizer = this.#optimizer
    if (!options.apply && optimizer === undefined) throw new Error('this session accumulates no gradients')
    const { count } = batch
    const program = await this.#programFor(count)
    const inputs = inputFeeds(network, batch.inputs, count)
    program.target.set(targetRows(batch, network.classCount))
    fillMasks(program.masks, network.dropoutRatio, dropoutSeed)
    this.#scalars.learningRate[0] = hyper.learningRate
    this.#scalars.momentum[0] = hyper.momentum
    this.#scalars.weightDecay[0] = hyper.weightDecay

    const kind = optimizer === undefined ? 'whole' : 'accumulate'
    const { feeds, fetches } = this.#state.ports(kind)
    await program.session.run({ ...program.feeds, ...feeds, ...inputs }, { ...program.fetches, ...fetches })
    this.#state.advance(kind)
    if (optimizer !== undefined) {
      this.#pendingSamples += count
      if (options.apply) await this.#applyAccumulated(optimizer)
    }
    if (options.apply) this.#average?.update()
    return {
      loss: program.loss[0] ?? Number.NaN,
      correct: countCorrect(program.logits, batch.labels, count, network.classCount),
      gradNorm: options.apply && clipGradNorm > 0 ? (this.#scalars.gradNorm[0] ?? Number.NaN) : null,
    }
  }

  async dispose(): Promise<void> {
    for (const { session } of this.#programs.values()) await session.release()
    this.#programs.clear()
    await this.#optimizer?.release()
  }

  async #applyAccumulated(optimizer: InferenceSession): Promise<void> {
    this.#scalars.samples[0] = this.#pendingSamples
    const { feeds, fetches } = this.#state.ports('apply')
    const own = this.#optimizerPorts()
    own.feeds[stepNames.samples] = float32Tensor(this.#scalars.samples, [])
    await optimizer.run({ ...feeds, ...own.feeds }, { ...fetches, ...own.fetches })
    this.#state.advance('apply')
    this.#pendingSamples = 0
  }

  /** The scalars of the optimizer, wherever it stands. */
  #optimizerPorts(): { feeds: Feeds; fetches: Feeds } {
    const feeds: Feeds = {
      [stepNames.learningRate]: float32Tensor(this.#scalars.learningRate, []),
      [stepNames.momentum]: float32Tensor(this.#scalars.momentum, []),
      [stepNames.weightDecay]: float32Tensor(this.#scalars.weightDecay, []),
    }
    if (!(this.#options.clipGradNorm > 0)) return { feeds, fetches: {} }
    feeds[stepNames.maxNorm] = float32Tensor(this.#scalars.maxNorm, [])
    return { feeds, fetches: { [stepNames.gradNorm]: float32Tensor(this.#scalars.gradNorm, []) } }
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
    const { network } = this.#options
    const session = await openSession(model, this.#options.threads)
    const target = new Float32Array(count * network.classCount)
    const logits = new Float32Array(count * network.classCount)
    const loss = new Float32Array(1)
    const own = this.#optimizer === undefined ? this.#optimizerPorts() : { feeds: {}, fetches: {} }
    const feeds: Feeds = {
      ...own.feeds,
      [stepNames.target]: float32Tensor(target, [count, network.classCount]),
    }
    const fetches: Feeds = {
      ...own.fetches,
      [stepNames.loss]: float32Tensor(loss, []),
      [stepNames.logits]: float32Tensor(logits, [count, network.classCount]),
    }
    const maskData = masks.map(({ name, shape }) => {
      const data = new Float32Array(elementCount(shape))
      feeds[name] = float32Tensor(data, shape)
      return data
    })
    return { session, target, masks: maskData, feeds, fetches, loss, logits }
  }
}

function buildModel(
  { network, clipGradNorm, frozenStages, accumulate }: TrainingOptions,
  plan: LoweringPlan,
  batch: number,
): TrainingModel {
  return buildTrainingModel({
    network,
    batch,
    clip: clipGradNorm > 0,
    activation: 'relu',
    result: accumulate === true ? 'accumulate' : 'update',
    frozenStages: frozenStages ?? 0,
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
