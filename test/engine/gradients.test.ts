import { describe, expect, it } from 'vitest'
import { Random } from '../../src-main/core/random.ts'
import { operations } from '../../src-main/engine/autodiff/operations.ts'
import { checkGradient, differentiate, spread, type CheckedInput } from './gradient-check.ts'

/** Every row of the table with inputs small enough for finite differences element by element. */
interface Case {
  operation: keyof typeof operations
  name: string
  inputs: CheckedInput[]
  attributes?: object
  tolerance: number
  epsilon?: number
}

function perAxis(kernel: number[], value: number | number[]): number[] {
  return typeof value === 'number' ? kernel.map(() => value) : value
}

function convolutionCase(
  name: string,
  shape: number[],
  weight: number[],
  stride: number | number[],
  padding: number | number[],
): Case {
  const kernel = weight.slice(2)
  return {
    operation: 'convolution',
    name,
    inputs: [{ shape }, { shape: weight, kind: 'parameter' }],
    attributes: { kernel, stride: perAxis(kernel, stride), padding: perAxis(kernel, padding) },
    // Linear in each input, so a wide step costs nothing and drowns the rounding.
    epsilon: 1,
    tolerance: 2e-5,
  }
}

const random = new Random(5)
const cases: Case[] = [
  convolutionCase('3x3 stride 1', [2, 3, 5, 6], [4, 3, 3, 3], 1, 1),
  convolutionCase('3x3 stride 1, 8x8', [1, 2, 8, 8], [3, 2, 3, 3], 1, 1),
  convolutionCase('3x3 stride 2, even size', [2, 3, 6, 8], [4, 3, 3, 3], 2, 1),
  convolutionCase('3x3 stride 2, odd size', [1, 2, 7, 5], [3, 2, 3, 3], 2, 1),
  convolutionCase('3x3 of one pixel', [2, 3, 1, 1], [4, 3, 3, 3], 1, 1),
  convolutionCase('3x3 stride 2 of 2x2', [2, 3, 2, 2], [4, 3, 3, 3], 2, 1),
  convolutionCase('1x1 stride 1', [2, 3, 4, 5], [4, 3, 1, 1], 1, 0),
  convolutionCase('1x1 stride 2, even size', [2, 3, 4, 6], [4, 3, 1, 1], 2, 0),
  convolutionCase('1x1 stride 2, odd size', [2, 3, 5, 3], [4, 3, 1, 1], 2, 0),
  convolutionCase('7x7 stride 2', [2, 2, 10, 9], [3, 2, 7, 7], 2, 3),
  convolutionCase('3x3x3 stride 2', [1, 2, 3, 4, 5], [2, 2, 3, 3, 3], 2, 1),
  convolutionCase('3x3x3 stride 1, 2 and 2', [1, 2, 2, 5, 4], [2, 2, 3, 3, 3], [1, 2, 2], 1),
  convolutionCase('1x1x1 stride 1, 2 and 2', [2, 3, 2, 5, 4], [2, 3, 1, 1, 1], [1, 2, 2], 0),
  convolutionCase('5x7x7 stride 2', [1, 1, 3, 5, 6], [1, 1, 5, 7, 7], 2, [2, 3, 3]),
  {
    operation: 'batchNorm',
    name: 'of activations',
    inputs: [{ shape: [3, 2, 3, 3] }, { shape: [2], kind: 'parameter' }, { shape: [2], kind: 'parameter' }],
    attributes: { epsilon: 1e-5 },
    tolerance: 2e-4,
  },
  {
    operation: 'batchNorm',
    name: 'over time too',
    inputs: [
      { shape: [2, 2, 2, 2, 3] },
      { shape: [2], kind: 'parameter' },
      { shape: [2], kind: 'parameter' },
    ],
    attributes: { epsilon: 1e-5 },
    tolerance: 2e-4,
  },
  {
    operation: 'relu',
    name: 'away from zero',
    inputs: [{ shape: [2, 3, 4, 3], data: spread(random, 72) }],
    tolerance: 2e-5,
  },
  { operation: 'softplus', name: 'of activations', inputs: [{ shape: [2, 3, 4, 3] }], tolerance: 5e-5 },
  {
    operation: 'add',
    name: 'of two activations',
    inputs: [{ shape: [2, 3, 4, 3] }, { shape: [2, 3, 4, 3] }],
    tolerance: 2e-5,
  },
  {
    operation: 'concat',
    name: 'of two streams',
    inputs: [{ shape: [3, 2] }, { shape: [3, 4] }],
    tolerance: 2e-5,
  },
  {
    operation: 'maxPool',
    name: '3x3 stride 2',
    inputs: [{ shape: [2, 2, 7, 6], data: spread(random, 168) }],
    attributes: { kernel: [3, 3], stride: [2, 2], padding: [1, 1] },
    tolerance: 1e-4,
  },
  {
    operation: 'maxPool',
    name: '1x3x3 stride 2',
    inputs: [{ shape: [1, 2, 3, 5, 6], data: spread(random, 180) }],
    attributes: { kernel: [1, 3, 3], stride: [2, 2, 2], padding: [0, 1, 1] },
    tolerance: 1e-4,
  },
  {
    operation: 'globalAveragePool',
    name: 'over time too',
    inputs: [{ shape: [2, 3, 2, 3, 2] }],
    tolerance: 2e-5,
  },
  { operation: 'globalAveragePool', name: 'to [N, C]', inputs: [{ shape: [2, 3, 4, 5] }], tolerance: 2e-5 },
  {
    operation: 'dropout',
    name: 'by a given mask',
    inputs: [
      { shape: [2, 4] },
      { shape: [2, 4], data: Float32Array.of(2, 0, 0, 2, 2, 2, 0, 2), kind: 'constant' },
    ],
    tolerance: 2e-5,
  },
  {
    operation: 'linear',
    name: 'with bias',
    inputs: [{ shape: [3, 5] }, { shape: [4, 5], kind: 'parameter' }, { shape: [4], kind: 'parameter' }],
    tolerance: 2e-5,
  },
  {
    operation: 'softmaxCrossEntropy',
    name: 'of two samples',
    inputs: [{ shape: [2, 3] }, { shape: [2, 3], data: Float32Array.of(0, 1, 0, 1, 0, 0), kind: 'constant' }],
    tolerance: 2e-4,
  },
  {
    operation: 'softmaxCrossEntropy',
    name: 'of rows that sum to anything',
    inputs: [
      { shape: [3, 3] },
      { shape: [3, 3], data: Float32Array.of(0.2, 1.5, 0.6, 0, 0, 0, 0.3, 0, 0.4), kind: 'constant' },
    ],
    tolerance: 2e-4,
  },
]

describe('gradient of', () => {
  it('every operation is checked', () => {
    expect(new Set(cases.map((one) => one.operation))).toEqual(new Set(Object.keys(operations)))
  })

  for (const one of cases) {
    const operation = operations[one.operation]
    const attributes = (one.attributes ?? {}) as never
    const shapes = one.inputs.map((input) => input.shape)
    for (const lowering of operation.lowerings) {
      if (!(lowering.supports?.(shapes, attributes) ?? true)) continue
      it(`${one.operation} (${lowering.name}) ${one.name} equals finite differences`, async () => {
        const { errors } = await checkGradient(
          operation as never,
          lowering.name,
          one.inputs,
          attributes,
          one.epsilon,
        )
        expect(Math.max(...errors)).toBeLessThan(one.tolerance)
      })
    }
  }

  it('maxPool goes to the first of equal maxima, as in torch', async () => {
    const window = { kernel: [3, 3], stride: [2, 2], padding: [1, 1] }
    const input = { shape: [1, 1, 4, 4], data: new Float32Array(16).fill(1) }
    for (const { name } of operations.maxPool.lowerings) {
      const { gradients } = await checkGradient(operations.maxPool, name, [input], window)
      const receivers = [...(gradients[0] ?? [])].flatMap((value, i) => (value === 0 ? [] : [i]))
      expect(receivers).toEqual([0, 1, 4, 5])
    }
  })
})

describe('convolution by winograd', () => {
  const sizes: [spatial: number[], stride: number | number[], batch: number][] = [
    [[56, 56], 1, 2],
    [[28, 20], 1, 3],
    [[40, 14], 1, 2],
    [[9, 7], 1, 2],
    [[30, 17], 1, 1],
    [[56, 30], 2, 2],
    [[15, 8], 2, 2],
    [[3, 8, 16], 1, 1],
    [[4, 9, 10], 2, 1],
    [[4, 28, 20], [1, 2, 2], 2],
    [[4, 7, 7], [1, 2, 2], 2],
    [[4, 4, 4], 1, 2],
    [[5, 14, 9], 1, 2],
    [[1, 5, 6], [1, 2, 2], 3],
    [[2, 7, 7], 1, 2],
  ]
  for (const [spatial, stride, batch] of sizes) {
    it(`equals the plain one on ${spatial.join('x')} with stride ${String(stride)}, also its gradients`, async () => {
      const window = {
        kernel: spatial.map(() => 3),
        stride: perAxis(spatial, stride),
        padding: spatial.map(() => 1),
      }
      const inputs: CheckedInput[] = [
        { shape: [batch, 5, ...spatial] },
        { shape: [6, 5, ...window.kernel], kind: 'parameter' },
      ]
      const plain = await differentiate(operations.convolution, 'plain', inputs, window)
      const winograd = await differentiate(operations.convolution, 'winograd', inputs, window)
      const pairs = [
        [plain.output, winograd.output],
        [plain.gradients[0], winograd.gradients[0]],
        [plain.gradients[1], winograd.gradients[1]],
      ] as const
      for (const [expected, found] of pairs) {
        expect(relativeDistance(expected!, found!)).toBeLessThan(5e-6)
      }
    })
  }
})

/** |a - b| / |a| in the Euclidean norm. */
function relativeDistance(a: Float32Array, b: Float32Array): number {
  expect(b).toHaveLength(a.length)
  let [difference, norm] = [0, 0]
  for (let i = 0; i < a.length; i++) {
    difference += (a[i]! - b[i]!) ** 2
    norm += a[i]! ** 2
  }
  return Math.sqrt(difference / norm)
}
