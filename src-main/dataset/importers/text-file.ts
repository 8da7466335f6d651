import { readFile } from 'node:fs/promises'
import { KineoError } from '../../core/errors.ts'

/**
 * Text of a list or table as people and programs save them: UTF-8, or UTF-16 with a byte order mark; what is neither is
 * read as Windows-1252, in which spreadsheets of western Windows save.
 *
 * @throws KineoError `input` when the file cannot be read.
 */
export async function readTextFile(path: string): Promise<string> {
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw new KineoError('input', 'The list cannot be read', { where: path, cause })
  })
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return new TextDecoder('utf-16le').decode(bytes)
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return new TextDecoder('utf-16be').decode(bytes)
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return new TextDecoder('windows-1252').decode(bytes)
  }
}

export interface TextLine {
  /** From 1. */
  number: number
  text: string
}

/** The lines of a list that are not blank, without white space around them. */
export async function readLines(path: string): Promise<TextLine[]> {
  const lines = (await readTextFile(path)).split(/\r\n|\n|\r/)
  return lines
    .map((text, index) => ({ number: index + 1, text: text.trim() }))
    .filter(({ text }) => text !== '')
}
