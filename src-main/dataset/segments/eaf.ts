import { KineoError } from '../../core/errors.ts'
import type { EntryList, FrameTimes, Segment } from './segment.ts'

/**
 * Reads ELAN's own file: every annotation that has times, of all tiers. Its text is the class, or the name of its tier where
 * it has none. Annotations that hang on others have no times of their own and are left out.
 *
 * @throws KineoError `input` when it is no ELAN file.
 */
export function readEaf(text: string, where: string): EntryList {
  if (!text.includes('<ANNOTATION_DOCUMENT')) {
    throw new KineoError('input', 'This is no file of ELAN', { where })
  }
  const list: EntryList = { entries: [], problems: [], notes: [] }
  const slots = new Map<string, string>()
  for (const [, words = ''] of text.matchAll(/<TIME_SLOT\b([^>]*)>/g)) {
    const { TIME_SLOT_ID: id, TIME_VALUE: value } = attributes(words)
    if (id !== undefined && value !== undefined) slots.set(id, value)
  }
  let number = 0
  for (const [, tierWords = '', body = ''] of text.matchAll(/<TIER\b([^>]*[^/>]|)>([\s\S]*?)<\/TIER>/g)) {
    const tier = attributes(tierWords)['TIER_ID'] ?? ''
    const annotations = body.matchAll(/<ALIGNABLE_ANNOTATION\b([^>]*)>([\s\S]*?)<\/ALIGNABLE_ANNOTATION>/g)
    for (const [, words = '', content = ''] of annotations) {
      number++
      const { TIME_SLOT_REF1: from = '', TIME_SLOT_REF2: to = '' } = attributes(words)
      const [start, end] = [slots.get(from), slots.get(to)]
      const value = /<ANNOTATION_VALUE[^>]*>([\s\S]*?)<\/ANNOTATION_VALUE>/.exec(content)?.[1] ?? ''
      const className = unescape(value).trim() || tier
      if (start === undefined || end === undefined) {
        list.problems.push({ line: number, reason: `the annotation "${className}" is tied to no time` })
        continue
      }
      const range = { unit: 'seconds', start: inSeconds(start), end: inSeconds(end) } as const
      list.entries.push({ line: number, className, range })
    }
    if (/<REF_ANNOTATION\b/.test(body)) {
      list.notes.push(`Annotations of the tier "${tier}" hang on others and have no times; they are left out`)
    }
  }
  return list
}

/** @param milliseconds As written; anything but a number stays as it is, to be named as wrong. */
function inSeconds(milliseconds: string): string {
  return /^\d+$/.test(milliseconds) ? (Number(milliseconds) / 1000).toFixed(3) : milliseconds
}

function attributes(words: string): Record<string, string> {
  const found = words.matchAll(/([\w:]+)\s*=\s*(?:"([^"]*)"|'([^']*)')/g)
  return Object.fromEntries(
    [...found].map(([, name = '', double, single]) => [name, unescape(double ?? single ?? '')]),
  )
}

const entities: Record<string, string> = { lt: '<', gt: '>', quot: '"', apos: "'", amp: '&' }

function unescape(text: string): string {
  return text.replaceAll(/&(?:#(\d+)|#x([\da-f]+)|(\w+));/gi, (whole, decimal, hexadecimal, name) => {
    if (typeof name === 'string') return entities[name] ?? whole
    const code = typeof decimal === 'string' ? Number(decimal) : Number.parseInt(String(hexadecimal), 16)
    return code <= 0x10ffff ? String.fromCodePoint(code) : whole
  })
}

function escape(text: string): string {
  const named = Object.entries(entities).map(([name, character]) => [character, `&${name};`] as const)
  const names = new Map<string, string>(named)
  return text.replaceAll(/[<>"'&]/g, (character) => names.get(character) ?? character)
}

/** Writes segments as an ELAN file with one tier, in milliseconds as ELAN keeps them. */
export function writeEaf(segments: readonly Segment[], times: FrameTimes, videoName: string): string {
  const slots: string[] = []
  const annotations: string[] = []
  for (const [index, { className, firstFrame, lastFrame }] of segments.entries()) {
    const ids = [times.timeOf(firstFrame), times.endOf(lastFrame)].map((time) => {
      const id = `ts${slots.length + 1}`
      slots.push(`        <TIME_SLOT TIME_SLOT_ID="${id}" TIME_VALUE="${Math.round(time * 1000)}"/>`)
      return id
    })
    annotations.push(
      '        <ANNOTATION>',
      `            <ALIGNABLE_ANNOTATION ANNOTATION_ID="a${index + 1}" TIME_SLOT_REF1="${ids[0]}" TIME_SLOT_REF2="${ids[1]}">`,
      `                <ANNOTATION_VALUE>${escape(className)}</ANNOTATION_VALUE>`,
      '            </ALIGNABLE_ANNOTATION>',
      '        </ANNOTATION>',
    )
  }
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<ANNOTATION_DOCUMENT AUTHOR="" DATE="1970-01-01T00:00:00+00:00" FORMAT="3.0" VERSION="3.0"' +
      ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"' +
      ' xsi:noNamespaceSchemaLocation="http://www.mpi.nl/tools/elan/EAFv3.0.xsd">',
    '    <HEADER MEDIA_FILE="" TIME_UNITS="milliseconds">',
    `        <MEDIA_DESCRIPTOR MEDIA_URL="${escape(encodeURI(videoName))}" MIME_TYPE="video/*" RELATIVE_MEDIA_URL="./${escape(encodeURI(videoName))}"/>`,
    '    </HEADER>',
    '    <TIME_ORDER>',
    ...slots,
    '    </TIME_ORDER>',
    '    <TIER LINGUISTIC_TYPE_REF="default-lt" TIER_ID="class">',
    ...annotations,
    '    </TIER>',
    '    <LINGUISTIC_TYPE GRAPHIC_REFERENCES="false" LINGUISTIC_TYPE_ID="default-lt" TIME_ALIGNABLE="true"/>',
    '</ANNOTATION_DOCUMENT>',
    '',
  ].join('\n')
}
