/** Text as Python prints it, for output lines that scripts written for TAO read. */

/** A float as `'{:.4}'.format(value)`: four significant digits, at least one behind the point. */
export function formatFourDigits(value: number): string {
  if (value === 0) return '0.0'
  const text = String(Number(value.toPrecision(4)))
  return text.includes('.') || text.includes('e') ? text : `${text}.0`
}

/** A float as `str(round(value, 3))`. */
export function formatRounded(value: number): string {
  const text = String(Number(value.toFixed(3)))
  return text.includes('.') || text.includes('e') ? text : `${text}.0`
}

/** A list of strings as `str(list)`: `['walk', "it's"]`. */
export function formatStringList(items: readonly string[]): string {
  return `[${items.map(formatString).join(', ')}]`
}

function formatString(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'"
  const escaped = text
    .replaceAll('\\', '\\\\')
    .replaceAll('\n', '\\n')
    .replaceAll('\r', '\\r')
    .replaceAll('\t', '\\t')
  return quote + (quote === "'" ? escaped.replaceAll("'", "\\'") : escaped) + quote
}
