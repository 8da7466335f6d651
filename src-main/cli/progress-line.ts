import { formatRemaining, type Progress } from '../core/progress.ts'

/** `12 of 31 clips, 5 s left`, with the note behind it. */
export function progressLine({ done, total, unit, remainingSeconds, note }: Progress): string {
  const count = total === null ? `${done} ${unit}` : `${done} of ${total} ${unit}`
  const left = remainingSeconds === null ? '' : `, ${formatRemaining(remainingSeconds)} left`
  return `${count}${left}${note === undefined ? '' : `  ${note}`}`
}
