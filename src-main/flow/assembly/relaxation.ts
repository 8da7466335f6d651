/**
 * Successive over-relaxation in checkerboard order: all red pixels, which have only black neighbours, then all black
 * ones. Red and black pixels lie in planes of their own, so that four neighbours in a row of one colour are a vector.
 */
import { Level } from './level'
import { pixel } from './plane'

/** Floats before the first pixel of a row, and at least as many after the last. */
const margin: i32 = 4

/** Planes of one colour, two columns of the image in one, with a zero row above and below. */
class Colour {
  /** Weights of the edges to the right and lower neighbours. */
  right: usize
  down: usize
  b1: usize
  b2: usize
  a12: usize
  /** Relaxation factor over the diagonal of the system. */
  inverse11: usize
  inverse22: usize
  /** Corrections of the flow. */
  du: usize
  dv: usize

  constructor(bytes: usize) {
    this.right = heap.alloc(bytes)
    this.down = heap.alloc(bytes)
    this.b1 = heap.alloc(bytes)
    this.b2 = heap.alloc(bytes)
    this.a12 = heap.alloc(bytes)
    this.inverse11 = heap.alloc(bytes)
    this.inverse22 = heap.alloc(bytes)
    this.du = heap.alloc(bytes)
    this.dv = heap.alloc(bytes)
  }

  clear(bytes: usize): void {
    memory.fill(this.right, 0, bytes)
    memory.fill(this.down, 0, bytes)
    memory.fill(this.b1, 0, bytes)
    memory.fill(this.b2, 0, bytes)
    memory.fill(this.a12, 0, bytes)
    memory.fill(this.inverse11, 0, bytes)
    memory.fill(this.inverse22, 0, bytes)
    memory.fill(this.du, 0, bytes)
    memory.fill(this.dv, 0, bytes)
  }
}

/** The linear system of a level, and the row of it that is being written. */
export class Checkerboard {
  static readonly omega: f32 = 1.6

  readonly red: Colour
  readonly black: Colour
  width: i32 = 0
  height: i32 = 0
  /** Floats a row of the colour planes. */
  stride: i32 = 0
  /** One row in the order of the image, with a zero before it; `rowUp` is `rowDown` of the row above. */
  rowRight: usize
  rowDown: usize
  rowUp: usize
  readonly rowB1: usize
  readonly rowB2: usize
  readonly rowA12: usize
  readonly rowInverse11: usize
  readonly rowInverse22: usize

  constructor(largest: Level) {
    const bytes = colourBytes(largest.width, largest.height)
    this.red = new Colour(bytes)
    this.black = new Colour(bytes)
    this.rowRight = allocateRow(largest.width)
    this.rowDown = allocateRow(largest.width)
    this.rowUp = allocateRow(largest.width)
    this.rowB1 = allocateRow(largest.width)
    this.rowB2 = allocateRow(largest.width)
    this.rowA12 = allocateRow(largest.width)
    this.rowInverse11 = allocateRow(largest.width)
    this.rowInverse22 = allocateRow(largest.width)
  }

  /** Starts on a level of this size with corrections of zero. */
  clear(width: i32, height: i32): void {
    this.width = width
    this.height = height
    this.stride = colourStride(width)
    const bytes = colourBytes(width, height)
    this.red.clear(bytes)
    this.black.clear(bytes)
  }

  /** Makes room for the next row of weights; the last one's lower edges become its upper ones. */
  startRow(): void {
    const up = this.rowUp
    this.rowUp = this.rowDown
    this.rowDown = up
  }

  /** Cuts the edges that would lead out of the image. */
  closeEdges(y: i32): void {
    const bytes = (<usize>(this.width + 8)) << 2
    const last = (<usize>(this.width - 1)) << 2
    memory.fill(this.rowRight + last, 0, bytes - last)
    memory.fill(this.rowDown + last + 4, 0, bytes - last - 4)
    if (y == 0) memory.fill(this.rowUp, 0, bytes)
    if (y == this.height - 1) memory.fill(this.rowDown, 0, bytes)
  }

  /** Sorts the row by colour. Pixels past the end become zeros, which stay zero when they are relaxed. */
  placeRow(y: i32): void {
    const even = (y & 1) == 0 ? this.red : this.black
    const odd = (y & 1) == 0 ? this.black : this.red
    const row = (<usize>((y + 1) * this.stride + margin)) << 2
    this.split(this.rowRight, even.right + row, odd.right + row)
    this.split(this.rowDown, even.down + row, odd.down + row)
    this.split(this.rowB1, even.b1 + row, odd.b1 + row)
    this.split(this.rowB2, even.b2 + row, odd.b2 + row)
    this.split(this.rowA12, even.a12 + row, odd.a12 + row)
    this.split(this.rowInverse11, even.inverse11 + row, odd.inverse11 + row)
    this.split(this.rowInverse22, even.inverse22 + row, odd.inverse22 + row)
  }

  private split(source: usize, even: usize, odd: usize): void {
    memory.fill(source + ((<usize>this.width) << 2), 0, 32)
    const bytes = (<usize>this.width) << 2
    for (let at: usize = 0; at < bytes; at += 32) {
      const a = v128.load(source + at)
      const b = v128.load(source + at, 16)
      v128.store(even + (at >> 1), v128.shuffle<f32>(a, b, 0, 2, 4, 6))
      v128.store(odd + (at >> 1), v128.shuffle<f32>(a, b, 1, 3, 5, 7))
    }
  }

  /** Writes the corrections into planes of the level, in the order of the image. */
  readCorrections(du: usize, dv: usize, stride: i32): void {
    for (let y = 0; y < this.height; y++) {
      const even = (y & 1) == 0 ? this.red : this.black
      const odd = (y & 1) == 0 ? this.black : this.red
      const row = (<usize>((y + 1) * this.stride + margin)) << 2
      this.join(even.du + row, odd.du + row, pixel(du, stride, 0, y))
      this.join(even.dv + row, odd.dv + row, pixel(dv, stride, 0, y))
    }
  }

  private join(even: usize, odd: usize, target: usize): void {
    const bytes = (<usize>this.width) << 2
    for (let at: usize = 0; at < bytes; at += 32) {
      const a = v128.load(even + (at >> 1))
      const b = v128.load(odd + (at >> 1))
      v128.store(target + at, v128.shuffle<f32>(a, b, 0, 4, 1, 5))
      v128.store(target + at, v128.shuffle<f32>(a, b, 2, 6, 3, 7), 16)
    }
  }
}

function colourStride(width: i32): i32 {
  return 2 * margin + (((width + 1) / 2 + 3) & ~3)
}

function colourBytes(width: i32, height: i32): usize {
  return (<usize>(colourStride(width) * (height + 2))) << 2
}

/** A zeroed row with a margin before it and room for two vectors after it. */
function allocateRow(width: i32): usize {
  const bytes = (<usize>(width + 2 * margin + 8)) << 2
  const row = heap.alloc(bytes)
  memory.fill(row, 0, bytes)
  return row + (margin << 2)
}

/**
 * Relaxes red then black `times` times. Row y of a pass only needs the rows around it of the pass before, so all passes
 * move down the image together, each two rows behind the one before: the rows stay in the cache.
 */
export function relax(board: Checkerboard, times: i32): void {
  const height = board.height
  for (let front = 0; front < height + 2 * times; front++) {
    for (let pass = 0; pass < times; pass++) {
      const red = front - 2 * pass
      if (red >= 0 && red < height) relaxRow(board, board.red, board.black, red, red & 1)
      const black = red - 1
      if (black >= 0 && black < height) relaxRow(board, board.black, board.red, black, (black + 1) & 1)
    }
  }
}

/** @param shift 1 when the pixels of this colour stand in the odd columns of this row. */
function relaxRow(board: Checkerboard, own: Colour, other: Colour, y: i32, shift: i32): void {
  const rowBytes = (<usize>board.stride) << 2
  const row = (<usize>((y + 1) * board.stride + margin)) << 2
  const leftward: usize = shift == 0 ? 4 : 0
  const rightward: usize = shift == 0 ? 0 : 4
  const keep = f32x4.splat(<f32>1 - Checkerboard.omega)
  const end = row + ((<usize>((board.width + 1) / 2)) << 2)
  for (let at = row; at < end; at += 16) {
    const right = v128.load(own.right + at)
    const down = v128.load(own.down + at)
    const left = v128.load(other.right + at - leftward)
    const up = v128.load(other.down + at - rowBytes)
    const otherU = other.du + at
    const otherV = other.dv + at
    const pullU = f32x4.add(
      f32x4.add(
        f32x4.mul(right, v128.load(otherU + rightward)),
        f32x4.mul(left, v128.load(otherU - leftward)),
      ),
      f32x4.add(f32x4.mul(down, v128.load(otherU + rowBytes)), f32x4.mul(up, v128.load(otherU - rowBytes))),
    )
    const pullV = f32x4.add(
      f32x4.add(
        f32x4.mul(right, v128.load(otherV + rightward)),
        f32x4.mul(left, v128.load(otherV - leftward)),
      ),
      f32x4.add(f32x4.mul(down, v128.load(otherV + rowBytes)), f32x4.mul(up, v128.load(otherV - rowBytes))),
    )
    const a12 = v128.load(own.a12 + at)
    const dv = v128.load(own.dv + at)
    const targetU = f32x4.sub(f32x4.add(pullU, v128.load(own.b1 + at)), f32x4.mul(a12, dv))
    const du = f32x4.add(
      f32x4.mul(keep, v128.load(own.du + at)),
      f32x4.mul(v128.load(own.inverse11 + at), targetU),
    )
    v128.store(own.du + at, du)
    const targetV = f32x4.sub(f32x4.add(pullV, v128.load(own.b2 + at)), f32x4.mul(a12, du))
    v128.store(own.dv + at, f32x4.add(f32x4.mul(keep, dv), f32x4.mul(v128.load(own.inverse22 + at), targetV)))
  }
}
