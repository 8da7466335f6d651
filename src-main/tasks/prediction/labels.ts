import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { KineoError } from '../../core/errors.ts'
import { classNamesOf } from '../network/class-names.ts'

const largestFile = 1 << 20
const labelMap = z.record(z.string(), z.int().min(0))

/**
 * Class names in the order of their indices, from a text file: one name a line; all on one line, separated by `;` as
 * DeepStream has them; or JSON, a list of names or a map from name to index.
 * @throws KineoError `input` when the file cannot be read or says something else.
 */
export async function readLabels(path: string): Promise<string[]> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw new KineoError('input', 'Cannot read the file of labels', { where: path, cause: error })
  })
  if (text.length > largestFile || text.includes('\0')) throw noLabels(path, 'it is no text file of labels')
  const trimmed = text.replace(/^\uFEFF/, '').trim()
  const names = /^[[{]/.test(trimmed) ? fromJson(trimmed, path) : fromLines(trimmed)
  if (names.length === 0) throw noLabels(path, 'it is empty')
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined) throw noLabels(path, `it names ${twice} twice`)
  return names
}

function fromLines(text: string): string[] {
  const lines = text.split(/\r?\n/).map((line) => line.trim())
  const named = lines.filter((line) => line !== '')
  const [only] = named
  if (named.length !== 1 || only === undefined) return named
  return only
    .split(';')
    .map((name) => name.trim())
    .filter((name) => name !== '')
}

function fromJson(text: string, path: string): string[] {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw noLabels(path, 'it begins as JSON and is none', error)
  }
  const list = z.array(z.string()).safeParse(value)
  if (list.success) return list.data
  const map = labelMap.safeParse(value)
  if (!map.success) throw noLabels(path, 'it is neither a list of names nor a map from name to index')
  const indices = Object.values(map.data).sort((a, b) => a - b)
  if (indices.some((index, position) => index !== position)) {
    throw noLabels(path, `its indices are not 0 to ${indices.length - 1}, each once`)
  }
  return classNamesOf(map.data)
}

function noLabels(path: string, reason: string, cause?: unknown): KineoError {
  return new KineoError('input', `Cannot take class names from the file: ${reason}`, {
    where: path,
    remedy: 'Give one name a line, or all on one line with ; between them',
    cause,
  })
}
