import { Document, isMap, isScalar, isSeq, type YAMLMap } from 'yaml'
import { describeSections, describeSpec } from './describe.ts'
import type { Tree } from './source.ts'

const lineWidth = 100

/**
 * A spec for people to go on writing: `tree` as YAML, above each key what it does.
 * @param heading Lines at the top, without `#`.
 */
export function commentedYaml(tree: Tree, heading: readonly string[]): string {
  const document = new Document(tree, { schema: 'yaml-1.1' })
  const meanings = new Map([
    ...describeSections().map(({ section, meaning }) => [section, meaning] as const),
    ...describeSpec().map(({ key, meaning }) => [key, meaning] as const),
  ])
  const visit = (map: YAMLMap, prefix: string): void => {
    map.items.forEach((pair, index) => {
      if (!isScalar(pair.key)) return
      const key = prefix + String(pair.key.value)
      const meaning = meanings.get(key)
      const indent = 2 * (key.split('.').length - 1)
      if (meaning !== undefined) pair.key.commentBefore = wrapped(meaning, lineWidth - indent - 2)
      if (prefix === '' && index > 0) pair.key.spaceBefore = true
      if (isSeq(pair.value)) pair.value.flow = true
      if (isMap(pair.value)) visit(pair.value, `${key}.`)
    })
  }
  if (isMap(document.contents)) visit(document.contents, '')
  document.commentBefore = heading.map((line) => ` ${line}`).join('\n')
  return document.toString({ lineWidth: 0, flowCollectionPadding: false })
}

/** `text` on lines of at most `width` characters, each after a space, as YAML's comments want them. */
function wrapped(text: string, width: number): string {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line)
      line = word
    } else {
      line = line === '' ? word : `${line} ${word}`
    }
  }
  lines.push(line)
  return lines.map((part) => ` ${part}`).join('\n')
}
