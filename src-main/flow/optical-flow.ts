import { readFileSync } from 'node:fs'
import { resourceFile } from '../core/entry.ts'
import { KineoError } from '../core/errors.ts'
import { flowToGray, type GrayFlow } from './gray.ts'

export type FlowPreset = 'fast' | 'medium'

/** Motion between two frames in pixels, one value a pixel, row by row; positive is right and down. */
export interface Flow {
  u: Float32Array
  v: Float32Array
}

interface PresetValues {
  finestLevel: number
  patchStride: number
  searchIterations: number
  refinements: number
  relaxations: number
}

/** The values of OpenCV's presets of the same names. */
const presets: Record<FlowPreset, PresetValues> = {
  medium: { finestLevel: 1, patchStride: 3, searchIterations: 25, refinements: 5, relaxations: 5 },
  fast: { finestLevel: 2, patchStride: 4, searchIterations: 16, refinements: 5, relaxations: 5 },
}

/** What assembly/dis.ts exports. */
interface DisModule {
  memory: WebAssembly.Memory
  create(
    width: number,
    height: number,
    finestLevel: number,
    patchStride: number,
    searchIterations: number,
    refinements: number,
    relaxations: number,
  ): void
  grayAddress(): number
  uAddress(): number
  vAddress(): number
  grayUAddress(): number
  grayVAddress(): number
  mapFlow(): void
  reset(): void
  next(): number
}

/** The algorithm needs room for one patch. */
const smallestSide = 8
/** Twice 8K video. A pixel takes about 46 bytes, and a module has 4 GiB. */
const mostPixels = 64e6

let compiled: WebAssembly.Module | undefined

/**
 * Dense optical flow by DIS (Kroeger et al. 2016), one instance a video. The same frames give the same bits on every
 * machine.
 */
export class OpticalFlow {
  readonly width: number
  readonly height: number
  /** Size that is computed with: frames smaller than a patch are widened by their last row and column. */
  readonly #innerWidth: number
  readonly #innerHeight: number
  readonly #dis: DisModule

  private constructor(width: number, height: number, dis: DisModule) {
    this.width = width
    this.height = height
    this.#innerWidth = Math.max(width, smallestSide)
    this.#innerHeight = Math.max(height, smallestSide)
    this.#dis = dis
  }

  /**
   * @throws KineoError `input` when frames of this size do not fit into the memory of a WebAssembly module, `machine`
   *   when the module is missing.
   */
  static create(width: number, height: number, preset: FlowPreset): OpticalFlow {
    const { finestLevel, patchStride, searchIterations, refinements, relaxations } = presets[preset]
    const instance = new WebAssembly.Instance(loadModule(), {})
    const flow = new OpticalFlow(width, height, instance.exports as DisModule)
    if (width * height > mostPixels) throw tooLarge(width, height)
    try {
      flow.#dis.create(
        flow.#innerWidth,
        flow.#innerHeight,
        finestLevel,
        patchStride,
        searchIterations,
        refinements,
        relaxations,
      )
    } catch (cause) {
      throw tooLarge(width, height, cause)
    }
    return flow
  }

  /**
   * Takes the next frame, `width * height` bytes of gray.
   *
   * @returns Flow from the frame before to this one, or null for the first frame. The arrays are the caller's.
   */
  next(gray: Uint8Array): Flow | null {
    if (!this.#advance(gray)) return null
    return { u: this.#readFlow(this.#dis.uAddress()), v: this.#readFlow(this.#dis.vAddress()) }
  }

  /** As `next`, with the flow as the pictures that `flowToGray` gives. */
  nextGray(gray: Uint8Array): GrayFlow | null {
    if (this.#innerWidth !== this.width || this.#innerHeight !== this.height) {
      const flow = this.next(gray)
      return flow && flowToGray(flow.u, flow.v)
    }
    if (!this.#advance(gray)) return null
    this.#dis.mapFlow()
    const picture = (address: number): Uint8Array =>
      new Uint8Array(this.#dis.memory.buffer, address, gray.length).slice()
    return { u: picture(this.#dis.grayUAddress()), v: picture(this.#dis.grayVAddress()) }
  }

  #advance(gray: Uint8Array): boolean {
    const count = this.#innerWidth * this.#innerHeight
    this.#writeGray(gray, new Uint8Array(this.#dis.memory.buffer, this.#dis.grayAddress(), count))
    return this.#dis.next() !== 0
  }

  /** Starts anew: the next frame is a first one. */
  reset(): void {
    this.#dis.reset()
  }

  #writeGray(gray: Uint8Array, target: Uint8Array): void {
    if (gray.length !== this.width * this.height) {
      throw new RangeError(`a frame of ${gray.length} bytes is not ${this.width}x${this.height}`)
    }
    if (gray.length === target.length) {
      target.set(gray)
      return
    }
    for (let y = 0; y < this.#innerHeight; y++) {
      const row = Math.min(y, this.height - 1) * this.width
      for (let x = 0; x < this.#innerWidth; x++) {
        target[y * this.#innerWidth + x] = gray[row + Math.min(x, this.width - 1)] ?? 0
      }
    }
  }

  #readFlow(address: number): Float32Array {
    const inner = new Float32Array(this.#dis.memory.buffer, address, this.#innerWidth * this.#innerHeight)
    if (this.#innerWidth === this.width) return inner.slice(0, this.width * this.height)
    const flow = new Float32Array(this.width * this.height)
    for (let y = 0; y < this.height; y++) {
      const row = inner.subarray(y * this.#innerWidth, y * this.#innerWidth + this.width)
      flow.set(row, y * this.width)
    }
    return flow
  }
}

function tooLarge(width: number, height: number, cause?: unknown): KineoError {
  return new KineoError('input', `Frames of ${width}x${height} are too large for optical flow`, {
    remedy: 'Scale them down with --max-side',
    cause,
  })
}

function loadModule(): WebAssembly.Module {
  const path = resourceFile('flow', 'dis.wasm')
  try {
    compiled ??= new WebAssembly.Module(readFileSync(path))
    return compiled
  } catch (cause) {
    throw new KineoError('machine', 'The optical flow module is missing or damaged', {
      where: path,
      remedy: 'Make it anew with `npm run prepare`',
      cause,
    })
  }
}
