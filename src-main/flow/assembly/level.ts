import { allocatePlane, pixel, replicateBorder, strideFor } from './plane'

/** One scale of the image pyramid, with the flow found at this scale. */
export class Level {
  readonly stride: i32
  /** The earlier frame, the later frame. */
  earlier: usize
  later: usize
  /** Gradient of the earlier frame. */
  readonly gradientX: usize
  readonly gradientY: usize
  /** Flow from the earlier to the later frame, in pixels of this level. */
  readonly u: usize
  readonly v: usize
  /** For enlarging to this width: left source column and weight of the right one, for each column. */
  readonly sourceColumn: usize
  readonly sourceWeight: usize

  /** @param hasFlow False for levels that only lead to coarser ones: they need no memory for flow. */
  constructor(
    readonly width: i32,
    readonly height: i32,
    hasFlow: bool,
  ) {
    const stride = strideFor(width)
    this.stride = stride
    this.earlier = allocatePlane(stride, height)
    this.later = allocatePlane(stride, height)
    this.gradientX = hasFlow ? allocatePlane(stride, height) : 0
    this.gradientY = hasFlow ? allocatePlane(stride, height) : 0
    this.u = hasFlow ? allocatePlane(stride, height) : 0
    this.v = hasFlow ? allocatePlane(stride, height) : 0
    this.sourceColumn = heap.alloc((<usize>width) << 2)
    this.sourceWeight = heap.alloc((<usize>width) << 2)
  }

  /** The later frame becomes the earlier one; the other memory is free for the next frame. */
  advance(): void {
    const earlier = this.earlier
    this.earlier = this.later
    this.later = earlier
  }
}

/** Fills the later frame of a level from bytes of gray. */
export function readGray(level: Level, gray: usize): void {
  const width = level.width
  const stride = level.stride
  for (let y = 0; y < level.height; y++) {
    const source = gray + y * width
    const target = pixel(level.later, stride, 0, y)
    for (let x = 0; x < width; x++) store<f32>(target + ((<usize>x) << 2), <f32>load<u8>(source + x))
  }
  replicateBorder(level.later, stride, width, level.height)
}

/** Fills the later frame of `small` with means over 2x2 pixels of the level below. */
export function halve(large: Level, small: Level): void {
  const quarter = f32x4.splat(0.25)
  const rowBytes = (<usize>large.stride) << 2
  for (let y = 0; y < small.height; y++) {
    const source = pixel(large.later, large.stride, 0, 2 * y)
    const target = pixel(small.later, small.stride, 0, y)
    for (let x = 0; x < small.width; x += 4) {
      const at = source + ((<usize>x) << 3)
      const left = f32x4.add(v128.load(at), v128.load(at + rowBytes))
      const right = f32x4.add(v128.load(at, 16), v128.load(at + rowBytes, 16))
      const even = v128.shuffle<f32>(left, right, 0, 2, 4, 6)
      const odd = v128.shuffle<f32>(left, right, 1, 3, 5, 7)
      v128.store(target + ((<usize>x) << 2), f32x4.mul(quarter, f32x4.add(even, odd)))
    }
  }
  replicateBorder(small.later, small.stride, small.width, small.height)
}

/** Gradient of the earlier frame by Sobel's operator, in gray levels a pixel. */
export function computeGradient(level: Level): void {
  const stride = level.stride
  const rowBytes = (<usize>stride) << 2
  const eighth = f32x4.splat(0.125)
  for (let y = 0; y < level.height; y++) {
    for (let x = 0; x < level.width; x += 4) {
      const here = pixel(level.earlier, stride, x, y)
      const above = here - rowBytes
      const below = here + rowBytes
      const upLeft = v128.load(above - 4)
      const upRight = v128.load(above + 4)
      const downLeft = v128.load(below - 4)
      const downRight = v128.load(below + 4)
      const across = f32x4.sub(v128.load(here + 4), v128.load(here - 4))
      const down = f32x4.sub(v128.load(below), v128.load(above))
      const sumX = f32x4.add(f32x4.sub(upRight, upLeft), f32x4.sub(downRight, downLeft))
      const sumY = f32x4.add(f32x4.sub(downLeft, upLeft), f32x4.sub(downRight, upRight))
      v128.store(
        pixel(level.gradientX, stride, x, y),
        f32x4.mul(eighth, f32x4.add(sumX, f32x4.add(across, across))),
      )
      v128.store(
        pixel(level.gradientY, stride, x, y),
        f32x4.mul(eighth, f32x4.add(sumY, f32x4.add(down, down))),
      )
    }
  }
}
