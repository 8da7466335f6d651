import type { FrameTimes, Segment } from './segment.ts'

/** A cell of a separated table, in quotes where it needs them. */
function cell(text: string | number): string {
  const plain = String(text)
  return /["\n\r,;\t]|^\s|\s$/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain
}

function table(rows: readonly (readonly (string | number)[])[], separator = ','): string {
  return rows.map((row) => `${row.map(cell).join(separator)}\n`).join('')
}

/** Kineo's own list: `class,first_frame,last_frame`. */
export function writeCsv(segments: readonly Segment[]): string {
  return table([
    ['class', 'first_frame', 'last_frame'],
    ...segments.map(({ className, firstFrame, lastFrame }) => [className, firstFrame, lastFrame]),
  ])
}

export function writeJson(segments: readonly Segment[]): string {
  const entries = segments.map(({ className, firstFrame, lastFrame }) => ({
    class: className,
    first_frame: firstFrame,
    last_frame: lastFrame,
  }))
  return `${JSON.stringify({ segments: entries }, null, 2)}\n`
}

/** Start and end in seconds and a name, as LosslessCut reads and writes them. */
export function writeLosslessCut(segments: readonly Segment[], times: FrameTimes): string {
  return table(
    segments.map(({ className, firstFrame, lastFrame }) => [
      times.timeOf(firstFrame).toFixed(6),
      times.endOf(lastFrame).toFixed(6),
      className,
    ]),
  )
}

/** ELAN's tab-delimited text: tier, begin, end and duration in seconds, text. */
export function writeElan(segments: readonly Segment[], times: FrameTimes): string {
  return table(
    segments.map(({ className, firstFrame, lastFrame }) => {
      const [start, end] = [times.timeOf(firstFrame), times.endOf(lastFrame)]
      return ['class', start.toFixed(3), end.toFixed(3), (end - start).toFixed(3), className]
    }),
    '\t',
  )
}

/** Aggregated events of BORIS. */
export function writeBoris(segments: readonly Segment[], times: FrameTimes, videoName: string): string {
  return table([
    [
      ...[
        'Observation id',
        'Media file name',
        'Subject',
        'Behavior',
        'Behavior type',
        'Start (s)',
        'Stop (s)',
      ],
      'Duration (s)',
    ],
    ...segments.map(({ className, firstFrame, lastFrame }) => {
      const [start, end] = [times.timeOf(firstFrame), times.endOf(lastFrame)]
      return [
        ...[videoName, videoName, 'No focal subject', className, 'STATE', start.toFixed(3), end.toFixed(3)],
        (end - start).toFixed(3),
      ]
    }),
  ])
}
