import { z } from 'zod'
import { KineoError } from '../../core/errors.ts'
import type { EntryList } from './segment.ts'

const entry = z.object({
  class: z.string(),
  first_frame: z.union([z.number(), z.string()]),
  last_frame: z.union([z.number(), z.string()]),
})
const whole = z.union([z.array(z.unknown()), z.object({ segments: z.array(z.unknown()) })])

/**
 * Reads `{"segments": [{"class": "wave", "first_frame": 0, "last_frame": 40}, ...]}`, or the list alone.
 *
 * @throws KineoError `input` when the file is no such JSON.
 */
export function readJson(text: string, where: string): EntryList {
  const wrong = (what: string, cause: unknown): KineoError =>
    new KineoError('input', what, {
      where,
      remedy: 'It should be {"segments": [{"class": "wave", "first_frame": 0, "last_frame": 40}]}',
      cause,
    })
  let content: unknown
  try {
    content = JSON.parse(text)
  } catch (cause) {
    throw wrong('The list of segments is not whole JSON', cause)
  }
  const list = whole.safeParse(content)
  if (!list.success) throw wrong('The list of segments is not understood', list.error)
  const entries: EntryList = { entries: [], problems: [], notes: [] }
  for (const [index, given] of (Array.isArray(list.data) ? list.data : list.data.segments).entries()) {
    const line = index + 1
    const parsed = entry.safeParse(given)
    if (parsed.success) {
      const { class: className, first_frame: first, last_frame: last } = parsed.data
      const range = { unit: 'frames', first: String(first), last: String(last) } as const
      entries.entries.push({ line, className, range })
    } else {
      const key = parsed.error.issues[0]?.path.join('.') || 'the entry'
      entries.problems.push({ line, reason: `${key} is missing or of the wrong kind` })
    }
  }
  return entries
}
