import { existsSync } from 'node:fs'
import { mkdir, open, rename, rm, type FileHandle } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { partialPath } from '../../core/atomic-file.ts'
import { KineoError } from '../../core/errors.ts'
import { scoresByClass } from '../evaluation/evaluate.ts'

/** Text is gathered up to this many characters before it is written. */
const writeAt = 1 << 18

/**
 * Writes the scores of one video, window by window, as one JSON object: `{ ...header, "windows": [...], ...end }`. It
 * stands under its name when it is whole, and not before.
 */
export class ScoreFile {
  readonly #path: string
  readonly #partial: string
  readonly #file: FileHandle
  readonly #classNames: readonly string[]
  #text: string
  #windows = 0

  private constructor(
    path: string,
    partial: string,
    file: FileHandle,
    header: object,
    classNames: readonly string[],
  ) {
    this.#path = path
    this.#partial = partial
    this.#file = file
    this.#classNames = classNames
    this.#text = `${JSON.stringify(header, null, 2).slice(0, -2)},\n  "windows": [`
  }

  /** @throws KineoError `output` when the file cannot be written. */
  static async create(path: string, header: object, classNames: readonly string[]): Promise<ScoreFile> {
    const partial = partialPath(path)
    try {
      await mkdir(dirname(path), { recursive: true })
      return new ScoreFile(path, partial, await open(partial, 'wx'), header, classNames)
    } catch (error) {
      throw cannotWrite(path, error)
    }
  }

  /** @param frames Both inclusive. */
  async add(frames: { first: number; last: number }, scores: readonly number[]): Promise<void> {
    // Seven digits are what a float32 has.
    const rounded = scores.map((score) => Number(score.toPrecision(7)))
    const window = {
      first_frame: frames.first,
      last_frame: frames.last,
      scores: scoresByClass(rounded, this.#classNames),
    }
    this.#text += `${this.#windows === 0 ? '' : ','}\n    ${JSON.stringify(window)}`
    this.#windows++
    if (this.#text.length >= writeAt) await this.#write()
  }

  /** Ends the file and gives it its name. */
  async finish(end: object): Promise<void> {
    this.#text += `\n  ],\n${JSON.stringify(end, null, 2).slice(2)}\n`
    await this.#write()
    try {
      await this.#file.sync()
      await this.#file.close()
      await rename(this.#partial, this.#path)
    } catch (error) {
      await this.abandon()
      throw cannotWrite(this.#path, error)
    }
  }

  /** Leaves nothing behind. */
  async abandon(): Promise<void> {
    await this.#file.close().catch(() => undefined)
    await rm(this.#partial, { force: true })
  }

  async #write(): Promise<void> {
    const text = this.#text
    this.#text = ''
    try {
      await this.#file.writeFile(text)
    } catch (error) {
      throw cannotWrite(this.#path, error)
    }
  }
}

/** @throws KineoError `output` when there is something already and `force` is off. */
export function refuseExisting(path: string, force: boolean): void {
  if (force || !existsSync(path)) return
  throw new KineoError('output', 'There is a file already', {
    where: resolve(path),
    remedy: 'Give another --out, or overwrite it with --force',
  })
}

function cannotWrite(path: string, cause: unknown): KineoError {
  const full = cause instanceof Error && /ENOSPC/.test(cause.message)
  return new KineoError('output', full ? 'The disk is full' : 'The scores cannot be written', {
    where: path,
    remedy: full ? 'Make room and try again' : 'Choose another --out',
    cause,
  })
}
