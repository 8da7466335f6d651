/**
 * Fast one-dimensional convolution: y = output ((kernel w) * (input x)), with one product a point instead of one a
 * tap and output (Winograd 1980; Lavin and Gray 2015).
 */
export interface FastConvolution {
  /** [points][window]: transforms the values under a tile. */
  input: number[][]
  /** [points][taps] */
  kernel: number[][]
  /** [tile][points] */
  output: number[][]
  /** Input values under one tile, the first of which stands `padding` before the tile. */
  window: number
}

/** Where polynomials are evaluated, beside infinity; small numbers keep the rounding small. */
const evaluationPoints = [0, 1, -1, 2, -2]

/** Cook-Toom algorithm F(tile, taps) of stride 1 with tile + taps - 1 points. */
export function cookToom(tile: number, taps: number): FastConvolution {
  const points = evaluationPoints.slice(0, tile + taps - 2)
  const count = points.length + 1
  const output = Array.from({ length: tile }, (_, i) => [
    ...points.map((point) => point ** i),
    i === tile - 1 ? 1 : 0,
  ])
  const kernel = points.map((point) => {
    const scale = points.reduce(
      (product, other) => (other === point ? product : product * (point - other)),
      1,
    )
    return Array.from({ length: taps }, (_, k) => point ** k / scale)
  })
  kernel.push(Array.from({ length: taps }, (_, k) => (k === taps - 1 ? 1 : 0)))
  const input = points.map((point) => fill(polynomial(points.filter((other) => other !== point)), count))
  input.push(polynomial(points))
  return { input, kernel, output, window: count }
}

/**
 * A kernel of 3 taps at stride 2, split by phase: the outer taps meet every other value as a kernel of 2 taps at
 * stride 1, the middle tap meets the values between.
 */
export function stridedByPhase(tile: number): FastConvolution {
  const outer = cookToom(tile, 2)
  const window = 2 * tile + 1
  const input: number[][] = []
  const kernel: number[][] = []
  const output = outer.output.map((row) => [...row])
  outer.input.forEach((row, point) => {
    const spaced = Array<number>(window).fill(0)
    row.forEach((value, i) => (spaced[2 * i] = value))
    input.push(spaced)
    const [first = 0, last = 0] = outer.kernel[point] ?? []
    kernel.push([first, 0, last])
  })
  for (let i = 0; i < tile; i++) {
    input.push(Array.from({ length: window }, (_, k) => (k === 2 * i + 1 ? 1 : 0)))
    kernel.push([0, 1, 0])
    output.forEach((row, k) => row.push(k === i ? 1 : 0))
  }
  return { input, kernel, output, window }
}

/** Each output by itself, a product for each tap. */
export function oneByOne(): FastConvolution {
  const unit = [0, 1, 2].map((tap) => [0, 1, 2].map((k) => (k === tap ? 1 : 0)))
  return { input: unit, kernel: unit, output: [[1, 1, 1]], window: 3 }
}

/** The only output of an axis: a product for each tap that meets one of `size` values; tap 1 meets the first. */
export function singleOutput(size: number): FastConvolution {
  const taps = size > 1 ? [1, 2] : [1]
  const unit = (tap: number): number[] => Array.from({ length: 3 }, (_, k) => (k === tap ? 1 : 0))
  return { input: taps.map(unit), kernel: taps.map(unit), output: [taps.map(() => 1)], window: 3 }
}

/** Coefficients, lowest power first, of the product of (x - root). */
function polynomial(roots: readonly number[]): number[] {
  return roots.reduce<number[]>(
    (product, root) => {
      const next = Array<number>(product.length + 1).fill(0)
      product.forEach((value, i) => {
        next[i] = (next[i] ?? 0) - value * root
        next[i + 1] = (next[i + 1] ?? 0) + value
      })
      return next
    },
    [1],
  )
}

function fill(values: number[], length: number): number[] {
  return [...values, ...Array<number>(length - values.length).fill(0)]
}
