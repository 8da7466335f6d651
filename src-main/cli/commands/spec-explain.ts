import { KineoError } from '../../core/errors.ts'
import {
  describeSections,
  describeSpec,
  notBuiltKeys,
  otherSpellings,
  type SpecKeyDescription,
  suggestKey,
} from '../../spec/index.ts'
import type { CommandContext } from '../command.ts'
import { readOptions } from '../read-options.ts'
import type { Terminal } from '../terminal.ts'

/** `kineo spec explain [KEY]`: tells what a key, the keys of a section, or all keys mean. */
export function explainSpec(args: string[], { terminal }: CommandContext): Promise<number> {
  const { positionals } = readOptions('spec', args, {})
  if (positionals.length > 1) {
    throw new KineoError('usage', `One key at a time, not also ${positionals.slice(1).join(', ')}`)
  }
  const wanted = positionals[0]
  const keys = wanted === undefined ? describeSpec() : find(wanted, terminal)
  terminal.event('result', { keys })
  if (keys.length === 1 && wanted !== undefined) {
    for (const description of keys) printKey(description, terminal)
  } else {
    printSections(keys, terminal)
    terminal.line('')
    terminal.line('kineo spec explain KEY tells more about one, such as kineo spec explain train.optim.lr')
  }
  return Promise.resolve(0)
}

/**
 * The keys that are meant: one by its dotted name or, where that is clear, by its last word; or those of a section.
 * @throws KineoError `usage` for a name that is none.
 */
function find(wanted: string, terminal: Terminal): readonly SpecKeyDescription[] {
  const all = describeSpec()
  const names = otherSpellings.get(wanted) ?? [wanted]
  const exact = all.filter(({ key }) => names.includes(key))
  if (exact.length > 0) {
    if (otherSpellings.has(wanted)) terminal.line(`${wanted} is another name for ${names.join(' and ')}.`)
    return exact
  }
  const group = all.filter(({ key }) => key.startsWith(`${wanted}.`))
  if (group.length > 0) return group
  const notBuilt = [...notBuiltKeys].find(([key]) => wanted === key || wanted.startsWith(`${key}.`))
  if (notBuilt !== undefined) {
    throw new KineoError('usage', `${wanted} is a key of TAO that Kineo does not have`, {
      remedy: notBuilt[1].remedy,
    })
  }
  const byLastWord = all.filter(({ key }) => key.endsWith(`.${wanted}`))
  if (byLastWord.length > 0) return byLastWord
  const sections = describeSections().map(({ section }) => section)
  const near = suggestKey(wanted, [...all.map(({ key }) => key), ...sections, ...otherSpellings.keys()])
  throw new KineoError('usage', `${wanted} is not a key of the spec`, {
    remedy: near === undefined ? 'kineo spec explain lists them all' : `Did you mean ${near}?`,
  })
}

function printKey(description: SpecKeyDescription, terminal: Terminal): void {
  const { key, rule, meaning, taoDifference, isOwn, appliesTo, otherSpellings: others } = description
  terminal.line(key)
  for (const line of wrapped(meaning, 2)) terminal.line(line)
  const rows: [string, string][] = [
    ['value', rule],
    ['default', shown(description.default)],
    ['read by', appliesTo.commands.join(', ')],
  ]
  if (appliesTo.modelTypes.length < 3)
    rows.push(['for', `model.model_type ${appliesTo.modelTypes.join(' or ')}`])
  for (const [other, values] of Object.entries(appliesTo.onlyWith)) {
    rows.push(['only with', `${other} ${values.join(' or ')}`])
  }
  if (others.length > 0) rows.push(['also called', others.join(', ')])
  if (taoDifference !== null) rows.push(['TAO', taoDifference])
  else if (!isOwn) rows.push(['TAO', 'the same'])
  for (const [name, text] of rows) {
    const [first, ...more] = wrapped(text, 15)
    terminal.line(`  ${name.padEnd(11)}  ${(first ?? '').trimStart()}`)
    for (const line of more) terminal.line(line)
  }
}

function printSections(keys: readonly SpecKeyDescription[], terminal: Terminal): void {
  const width = Math.max(...keys.map(({ key }) => key.length))
  const meanings = new Map(describeSections().map(({ section, meaning }) => [section, meaning]))
  let current: string | undefined
  for (const { key, section, meaning, default: standard } of keys) {
    if (section !== current) {
      if (current !== undefined) terminal.line('')
      const heading = section === '' ? 'At the top' : `${section}: ${meanings.get(section) ?? ''}`
      for (const line of wrapped(heading, 0)) terminal.line(line)
      current = section
    }
    terminal.line(`  ${key.padEnd(width)}  ${shown(standard)}`)
    for (const line of wrapped(meaning, 6)) terminal.line(line)
  }
}

function shown(value: unknown): string {
  if (value === null) return 'none'
  if (typeof value === 'string') return value
  const text = JSON.stringify(value)
  return text === '{}' ? 'none' : text.replaceAll(',', ', ')
}

/** `text` on lines that fit a terminal of 100 columns, each behind `indent` spaces. */
function wrapped(text: string, indent: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && indent + line.length + 1 + word.length > 98) {
      lines.push(line)
      line = word
    } else {
      line = line === '' ? word : `${line} ${word}`
    }
  }
  return [...lines, line].map((part) => ' '.repeat(indent) + part)
}
