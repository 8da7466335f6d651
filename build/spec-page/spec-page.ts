import { readFileSync } from 'node:fs'
import {
  describeSections,
  describeSpec,
  notBuiltKeys,
  otherSpellings,
  type SpecKeyDescription,
} from '../../src-main/spec/index.ts'

export const specPagePath = new URL('../../docs/spec.md', import.meta.url)
const templatePath = new URL('template.md', import.meta.url)

/** The text of docs/spec.md: the introduction of the template, and every key as the schema tells it. */
export function specPage(): string {
  return readFileSync(templatePath, 'utf8')
    .replace('<!-- keys -->', () => keyTables())
    .replace('<!-- spellings -->', () => spellingTable())
    .replace('<!-- not built -->', () => notBuiltTable())
}

function keyTables(): string {
  const keys = describeSpec()
  const top = keys.filter(({ section }) => section === '')
  const sections = describeSections().map(({ section, meaning }) => {
    const level = section.includes('.') ? '###' : '##'
    return `${level} ${section}\n\n${meaning}\n\n${keyTable(keys.filter((key) => key.section === section))}`
  })
  return [...sections, `## At the top\n\n${keyTable(top)}`].join('\n\n')
}

function keyTable(keys: readonly SpecKeyDescription[]): string {
  const rows = keys.map((key) => [
    `\`${key.key}\`${key.isOwn ? ' *' : ''}`,
    typeWords(key),
    defaultWords(key.default),
    `${key.meaning}${conditions(key)}`,
    key.isOwn && key.taoDifference?.startsWith("Kineo's own") === true ? '' : (key.taoDifference ?? ''),
  ])
  return table(['Key', 'Value', 'Default', 'Meaning', 'Difference from TAO'], rows)
}

function typeWords({ kind, choices, rule }: SpecKeyDescription): string {
  return kind === 'choice' ? choices.map((word) => `\`${word}\``).join(', ') : rule
}

function defaultWords(value: unknown): string {
  if (value === null) return ''
  const text = typeof value === 'string' ? value : JSON.stringify(value).replaceAll(',', ', ')
  return text === '{}' ? '' : `\`${text}\``
}

/** When a key has an effect, where it does not always. */
function conditions({ appliesTo }: SpecKeyDescription): string {
  const parts: string[] = []
  if (appliesTo.modelTypes.length < 3) parts.push(`\`model_type\` ${words(appliesTo.modelTypes)}`)
  for (const [key, values] of Object.entries(appliesTo.onlyWith)) {
    parts.push(`\`${key.slice(key.lastIndexOf('.') + 1)}\` ${words(values)}`)
  }
  return parts.length === 0 ? '' : ` Only with ${parts.join(' and ')}.`
}

function words(values: readonly string[]): string {
  return values.map((value) => `\`${value}\``).join(' or ')
}

function spellingTable(): string {
  const rows = [...otherSpellings].map(([other, names]) => [
    `\`${other}\``,
    names.map((name) => `\`${name}\``).join(', '),
  ])
  return table(['On the page', 'In the code, and here'], rows)
}

function notBuiltTable(): string {
  const rows = [...notBuiltKeys].map(([key, { neutral, remedy }]) => [
    `\`${key}\``,
    neutral === 'any'
      ? 'any'
      : neutral.map((value) => `\`${String(value === '' ? '""' : value)}\``).join(', '),
    `${remedy}.`,
  ])
  return table(['Key', 'Accepted', 'Instead'], rows)
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`.replaceAll('|  |', '| |')
  return [line(head), `|${head.map(() => '---|').join('')}`, ...rows.map(line)].join('\n')
}
