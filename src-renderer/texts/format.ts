const thinSpace = '\u2009'

/** `12 486`, with a thin space for thousands. */
export function count(value: number): string {
  return String(Math.round(value)).replace(/\B(?=(\d{3})+(?!\d))/g, thinSpace)
}

/** `1 clip`, `24 clips`. */
export function counted(value: number, one: string, many: string): string {
  return `${count(value)} ${value === 1 ? one : many}`
}

/** `87.1 %` of a fraction. Whole numbers lose their zero. */
export function percent(fraction: number): string {
  const value = (fraction * 100).toFixed(1).replace(/\.0$/, '')
  return `${value} %`
}

/** `44.8 MB`. */
export function bytes(value: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let amount = value
  let unit = 0
  while (amount >= 1000 && unit < units.length - 1) {
    amount /= 1000
    unit++
  }
  return `${unit === 0 || amount >= 100 ? Math.round(amount) : amount.toFixed(1)} ${units[unit] ?? ''}`
}

/** `40 s`, `4 min`, `1 h 25 min`: steps of 5 s below a minute, whole minutes above, of 5 min above an hour. */
export function remaining(seconds: number): string {
  if (seconds <= 55) return `${Math.max(5, Math.ceil(seconds / 5) * 5)} s`
  const minutes = Math.max(1, Math.round(seconds / 60))
  if (minutes < 60) return `${minutes} min`
  const rounded = Math.round(minutes / 5) * 5
  const rest = rounded % 60
  return rest === 0 ? `${Math.floor(rounded / 60)} h` : `${Math.floor(rounded / 60)} h ${rest} min`
}

/** `2.0 s` of a clip, `1:05` from a minute on. */
export function clipLength(seconds: number): string {
  if (seconds < 60) return `${seconds.toFixed(1)} s`
  return `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, '0')}`
}

/** `21:06` in the language of the system. */
export function clockTime(when: Date): string {
  return new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', hour12: false }).format(
    when,
  )
}

/** `left, right and up`. */
export function listed(names: readonly string[]): string {
  if (names.length < 2) return names.join('')
  return `${names.slice(0, -1).join(', ')} and ${names.at(-1) ?? ''}`
}
