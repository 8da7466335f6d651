import type { Stream } from '../../core/streams.ts'
import type { LoweringPlan } from './lowering-plan.ts'
import { operations } from '../autodiff/operations.ts'
import type { ParameterLayout } from '../autodiff/parameter-layout.ts'
import { Tape, type BoundParameter, type Parameter, type Variable } from '../autodiff/tape.ts'
import type { BatchStatistics } from '../autodiff/operation.ts'
import { GraphBuilder, type GraphValue } from '../onnx/graph-builder.ts'
import { elementCount } from '../onnx/shape-inference.ts'
import { batchNormEpsilon } from './inference-model.ts'
import { actionRecognitionNet } from './action-recognition-net.ts'
import { frozenBatchNorm, isFrozen } from './frozen-stages.ts'
import type { Layers } from './layers.ts'
import { networkInput, type NetworkConfig } from './network.ts'
import { writeOptimizer } from './optimizer-model.ts'
import { stateEntries } from './parameters.ts'
import { accumulatedName, gradientName, nextName, stepNames } from './step-names.ts'

export interface TrainingModelOptions {
  network: NetworkConfig
  /** Samples of the batch; part of the graph, so that statistics and means are those of the real samples. */
  batch: number
  /** Whether the joint norm of the gradients is limited. */
  clip: boolean
  /** `softplus` makes the network smooth, which the comparison of its gradients needs. */
  activation: 'relu' | 'softplus'
  /**
   * `update` writes the optimizer; `gradients` gives the gradients themselves; `accumulate` adds them, times the samples,
   * to sums that buildOptimizerModel applies.
   */
  result: 'update' | 'gradients' | 'accumulate'
  /** Leading stages that are not trained (see isFrozen); their batch normalisations use the running statistics. */
  frozenStages?: number
  /** Name of the lowering of each convolution. */
  plan: LoweringPlan
}

/** A float32 tensor that a step reads under `name` and writes anew under `nextName(name)`. */
export interface StateTensor {
  name: string
  storedShape: readonly number[]
}

export interface TrainingModel {
  model: Uint8Array
  /** Weights that are trained, with the layouts in which they are kept. */
  weights: BoundParameter[]
  /** Weights of frozen convolutions, with the layouts in which they are kept, and tensors of frozen batch normalisations. */
  frozen: (StateTensor & { layout: ParameterLayout; shape: readonly number[] })[]
  /** Running means and variances. */
  buffers: StateTensor[]
  /** Inputs that multiply the features in front of a last layer: 0 or 1 / (1 - dropoutRatio) each. */
  masks: { name: string; shape: readonly number[] }[]
}

/** torch's default: new = 0.9 old + 0.1 batch. */
const runningMomentum = 0.1

/**
 * Writes one training step as one ONNX graph: forward pass, loss, backward pass, running statistics and SGD.
 * Inputs: those of `networkInputs`, `target` [batch, classes] (rows of zero or more), `learning_rate`, `momentum`, `weight_decay`, with
 * clipping `max_norm` (scalars), with dropout a mask of each stream's features, and the state. Outputs: `loss`,
 * `logits`, with clipping `grad_norm`, and the new state.
 */
export function buildTrainingModel(options: TrainingModelOptions): TrainingModel {
  const { network, batch, clip, frozenStages = 0 } = options
  const graph = new GraphBuilder('TrainingStep')
  const tape = new Tape(graph)
  const shapes = new Map(stateEntries(network).map((entry) => [entry.name, entry.shape]))
  const parameter = (name: string): Parameter => {
    const shape = shapes.get(name)
    if (shape === undefined) throw new Error(`the network has no ${name}`)
    return isFrozen(name, frozenStages) ? { name, shape, frozen: true } : { name, shape }
  }
  const frozenNorms: TrainingModel['frozen'] = []
  const statistics = new Map<string, BatchStatistics & { count: number }>()
  const masks: TrainingModel['masks'] = []
  const activation = operations[options.activation]
  const usesHwnc = [...options.plan.values()].some((lowering) => lowering !== 'plain')

  const layers: Layers<Variable> = {
    convolution: (x, name, layer) => {
      const inputs = [x, parameter(`${name}.weight`)]
      return tape.apply(operations.convolution, inputs, layer, name, options.plan.get(name)).output
    },
    batchNorm: (x, name) => {
      if (isFrozen(name, frozenStages)) {
        const { output, tensors } = frozenBatchNorm(graph, x, name)
        for (const tensor of tensors)
          frozenNorms.push({ ...tensor, layout: 'torch', storedShape: tensor.shape })
        return output
      }
      const inputs = [x, parameter(`${name}.weight`), parameter(`${name}.bias`)]
      const result = tape.apply(operations.batchNorm, inputs, { epsilon: batchNormEpsilon }, name)
      if (result.statistics === undefined) throw new Error(`${name} gives no statistics`)
      const [samples = 1, , ...spatial] = x.shape
      statistics.set(name, { ...result.statistics, count: samples * elementCount(spatial) })
      return result.output
    },
    activation: (x) => tape.apply(activation, [x], {}, 'activation').output,
    add: (a, b) => tape.apply(operations.add, [a, b], {}, 'add').output,
    maxPool: (x, window) => {
      const pooled = tape.apply(operations.maxPool, [x], window, 'maxpool').output
      // The layout changes once, where the values are few, and not again before the head.
      return usesHwnc ? tape.convert(pooled, 'hwnc') : pooled
    },
    globalAveragePool: (x) => tape.apply(operations.globalAveragePool, [x], {}, 'avgpool').output,
    dropout: (x, name) => {
      masks.push({ name: `${name}_mask`, shape: x.shape })
      const mask = tape.source(graph.input(`${name}_mask`, x.shape))
      return tape.apply(operations.dropout, [x, mask], {}, name).output
    },
    linear: (x, name) => {
      const inputs = [x, parameter(`${name}.weight`), parameter(`${name}.bias`)]
      return tape.apply(operations.linear, inputs, {}, name).output
    },
    concat: (values) => tape.apply(operations.concat, values, {}, 'concat').output,
  }
  const input = (stream: Stream): Variable => {
    const { name, shape } = networkInput(network, stream, batch)
    return tape.source(graph.input(name, shape))
  }

  const target = tape.source(graph.input(stepNames.target, [batch, network.classCount]))
  const logits = actionRecognitionNet(layers, input, network)
  const loss = tape.apply(operations.softmaxCrossEntropy, [logits, target], {}, 'loss').output
  graph.output(loss.value, stepNames.loss)
  graph.output(logits.value, stepNames.logits)
  const gradients = tape.backward(loss, graph.scalar(1)).parameters

  const buffers = runningStatistics(graph, statistics)
  const weights = tape.parameters.filter((weight) => !weight.frozen)
  if (options.result === 'gradients') {
    for (const [name, gradient] of gradients) graph.output(gradient, gradientName(name))
  } else if (options.result === 'accumulate') {
    graph.scope('accumulate')
    const samples = graph.scalar(batch)
    for (const { name, storedShape } of weights) {
      const gradient = gradients.get(name)
      if (gradient === undefined) throw new Error(`${name} has no gradient`)
      const sum = graph.input(accumulatedName(name), storedShape)
      graph.output(graph.add(sum, graph.mul(gradient, samples)), nextName(accumulatedName(name)))
    }
  } else {
    writeOptimizer(graph, weights, gradients, clip)
  }
  const frozen = [...tape.parameters.filter((weight) => weight.frozen), ...frozenNorms]
  return { model: graph.build(), weights, frozen, buffers, masks }
}

/** Running mean and variance of every batch normalisation, the variance unbiased as torch keeps it. */
function runningStatistics(
  graph: GraphBuilder,
  statistics: ReadonlyMap<string, BatchStatistics & { count: number }>,
): StateTensor[] {
  graph.scope('running-statistics')
  const buffers: StateTensor[] = []
  const follow = (name: string, current: GraphValue, weight: number): void => {
    const storedShape = current.shape.map(Number)
    const old = graph.mul(graph.input(name, storedShape), graph.scalar(1 - runningMomentum))
    graph.output(graph.add(old, graph.mul(current, graph.scalar(weight))), nextName(name))
    buffers.push({ name, storedShape })
  }
  for (const [name, { mean, variance, count }] of statistics) {
    // A single value per channel has no unbiased variance; its biased one, 0, stands in.
    const unbiased = count > 1 ? count / (count - 1) : 1
    follow(`${name}.running_mean`, mean, runningMomentum)
    follow(`${name}.running_var`, variance, runningMomentum * unbiased)
  }
  return buffers
}
