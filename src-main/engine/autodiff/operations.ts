import { batchNormHwnc } from '../lowering/hwnc/batch-norm.ts'
import { globalAveragePoolHwnc } from '../lowering/hwnc/global-average-pool.ts'
import { convolutionPointwise } from '../lowering/hwnc/pointwise-convolution.ts'
import { batchNormPlain } from '../lowering/plain/batch-norm.ts'
import { convolutionPlain } from '../lowering/plain/convolution.ts'
import { addAny, concatPlain, dropoutPlain, reluAny, softplusAny } from '../lowering/plain/elementwise.ts'
import { globalAveragePoolPlain, linearPlain, softmaxCrossEntropyPlain } from '../lowering/plain/head.ts'
import { maxPoolPlain } from '../lowering/plain/max-pool.ts'
import { convolutionWinograd } from '../lowering/winograd/convolution.ts'
import { item, type Operation } from './operation.ts'

/** Sizes by spatial axis. */
export interface Window {
  kernel: readonly number[]
  stride: readonly number[]
  /** Zeros (or, for pooling, nothing) on both sides of each axis. */
  padding: readonly number[]
}

export interface BatchNormAttributes {
  epsilon: number
}

type None = Record<string, never>

function sameShape(shapes: readonly (readonly number[])[]): number[] {
  const first = item(shapes, 0)
  if (shapes.some((shape) => shape.join() !== first.join()))
    throw new Error(`shapes differ: ${shapes.join(' / ')}`)
  return [...first]
}

function windowedShape(input: readonly number[], channels: number, window: Window): number[] {
  const [batch = 1, , ...spatial] = input
  const out = spatial.map((size, axis) => {
    const taps = item(window.kernel, axis)
    return Math.floor((size + 2 * item(window.padding, axis) - taps) / item(window.stride, axis)) + 1
  })
  return [batch, channels, ...out]
}

interface OperationTable {
  convolution: Operation<Window>
  batchNorm: Operation<BatchNormAttributes>
  relu: Operation<None>
  softplus: Operation<None>
  add: Operation<None>
  concat: Operation<None>
  maxPool: Operation<Window>
  globalAveragePool: Operation<None>
  dropout: Operation<None>
  linear: Operation<None>
  softmaxCrossEntropy: Operation<None>
}

/**
 * The operation table. A new operation is one entry here, with its lowerings under lowering/, and one line in the
 * gradient test.
 */
export const operations: OperationTable = {
  /** x [N, C, ...spatial], weight [O, C, ...kernel] -> [N, O, ...]; no bias, no groups, no dilation. */
  convolution: {
    name: 'convolution',
    shape: ([x = [], weight = []], window) => windowedShape(x, item(weight, 0), window),
    lowerings: [convolutionPlain, convolutionPointwise, convolutionWinograd],
  },

  /**
   * Normalises with the statistics of the batch (training mode): x [N, C, ...], scale [C], shift [C].
   * Ioffe and Szegedy 2015, as torch.nn.BatchNorm2d.
   */
  batchNorm: {
    name: 'batchNorm',
    shape: ([x = []]) => [...x],
    lowerings: [batchNormPlain, batchNormHwnc],
  },

  relu: {
    name: 'relu',
    shape: ([x = []]) => [...x],
    lowerings: [reluAny('nchw'), reluAny('hwnc')],
  },

  /** ln(1 + e^x): smooth, for comparing gradients of a whole network. */
  softplus: {
    name: 'softplus',
    shape: ([x = []]) => [...x],
    lowerings: [softplusAny('nchw'), softplusAny('hwnc')],
  },

  add: {
    name: 'add',
    shape: (shapes) => sameShape(shapes),
    lowerings: [addAny('nchw'), addAny('hwnc')],
  },

  /** [N, A], [N, B], ... -> [N, A + B + ...] */
  concat: {
    name: 'concat',
    shape: (shapes) => [item(item(shapes, 0), 0), shapes.reduce((total, shape) => total + item(shape, 1), 0)],
    lowerings: [concatPlain],
  },

  /** Of equal maxima the first in row-major order gets the gradient, as in torch. */
  maxPool: {
    name: 'maxPool',
    shape: ([x = []], window) => windowedShape(x, item(x, 1), window),
    lowerings: [maxPoolPlain],
  },

  /** [N, C, ...spatial] -> [N, C] */
  globalAveragePool: {
    name: 'globalAveragePool',
    shape: ([x = []]) => x.slice(0, 2),
    lowerings: [globalAveragePoolPlain, globalAveragePoolHwnc],
  },

  /** x and a mask of the same shape, which holds 0 or 1 / (1 - ratio). */
  dropout: {
    name: 'dropout',
    shape: (shapes) => sameShape(shapes),
    lowerings: [dropoutPlain],
  },

  /** x [N, I], weight [O, I], bias [O] -> [N, O] */
  linear: {
    name: 'linear',
    shape: ([x = [], weight = []]) => [item(x, 0), item(weight, 0)],
    lowerings: [linearPlain],
  },

  /**
   * logits [N, K], target [N, K] of any rows of zero or more -> -sum(target log softmax(logits)) / N, a scalar.
   * Rows that sum to one give torch's cross_entropy. Its label smoothing is in the rows; class weights w are rows
   * times w[class] N / sum of the batch's w[class].
   */
  softmaxCrossEntropy: {
    name: 'softmaxCrossEntropy',
    shape: () => [],
    lowerings: [softmaxCrossEntropyPlain],
  },
}
