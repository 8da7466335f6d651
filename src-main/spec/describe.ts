import { z } from 'zod'
import type { ModelType } from '../core/streams.ts'
import { type KeyFacts, keyFacts, type KeyKind, sectionTexts, type SpecCommand } from './key-kinds.ts'
import { specSchema } from './schema.ts'
import { otherSpellings } from './spellings.ts'

/** One key of the spec, told for people and for programs that show it. Plain JSON. */
export interface SpecKeyDescription {
  /** Dotted name, such as `train.optim.lr`. */
  key: string
  /** Dotted name of the group in which it stands, such as `train.optim`; empty at the top. */
  section: string
  kind: KeyKind
  /** Which values are right, such as `a whole number of 1 or more`. */
  rule: string
  /** The words that a choice takes, or that a map takes instead of a map; empty for other kinds. */
  choices: readonly string[]
  /** Its value when it is not given; null for none. */
  default: unknown
  /** What it does, in plain sentences. */
  meaning: string
  /** How it differs from TAO, or null. */
  taoDifference: string | null
  /** True for a key that TAO does not have. */
  isOwn: boolean
  /** Other names under which it is read, such as `dataset.output_shape`. */
  otherSpellings: readonly string[]
  appliesTo: {
    modelTypes: readonly ModelType[]
    commands: readonly SpecCommand[]
    /** Other keys and the values that they must have for this one to take effect. */
    onlyWith: Readonly<Record<string, readonly string[]>>
  }
}

export interface SpecSectionDescription {
  /** Dotted name, such as `train.optim`. */
  section: string
  meaning: string
  commands: readonly SpecCommand[]
}

const allModelTypes: readonly ModelType[] = ['rgb', 'of', 'joint']

/** All keys that a spec may hold, in the order of the schema. */
export function describeSpec(): SpecKeyDescription[] {
  return collected.keys
}

/** All groups of keys, in the order of the schema. */
export function describeSections(): SpecSectionDescription[] {
  return collected.sections
}

const collected = collect()

function collect(): { keys: SpecKeyDescription[]; sections: SpecSectionDescription[] } {
  const keys: SpecKeyDescription[] = []
  const sections: SpecSectionDescription[] = []
  const visit = (shape: z.ZodRawShape, section: string, commands: readonly SpecCommand[]): void => {
    for (const [name, child] of Object.entries(shape)) {
      if (!(child instanceof z.ZodType)) continue
      const key = section === '' ? name : `${section}.${name}`
      const facts = keyFacts.get(child)
      if (facts !== undefined) keys.push(describe(key, section, child, facts, commands))
      const text = sectionTexts.get(child)
      if (text === undefined || !(child instanceof z.ZodPrefault)) continue
      const group = child.unwrap()
      sections.push({ section: key, meaning: text.meaning, commands: text.commands })
      if (group instanceof z.ZodObject) visit(group.shape, key, text.commands)
    }
  }
  visit(specSchema.shape, '', [])
  return { keys, sections }
}

function describe(
  key: string,
  section: string,
  schema: z.ZodType,
  facts: KeyFacts,
  sectionCommands: readonly SpecCommand[],
): SpecKeyDescription {
  return {
    key,
    section,
    kind: facts.kind,
    rule: facts.rule,
    choices: facts.choices,
    default: schema.parse(undefined),
    meaning: facts.meaning,
    taoDifference: facts.tao ?? (facts.own === true ? "Kineo's own; TAO has no such key." : null),
    isOwn: facts.own === true,
    otherSpellings: [...otherSpellings].filter(([, names]) => names.includes(key)).map(([other]) => other),
    appliesTo: {
      modelTypes: facts.modelTypes ?? allModelTypes,
      commands: facts.commands ?? sectionCommands,
      onlyWith: facts.onlyWith ?? {},
    },
  }
}

/**
 * Dotted names of all keys that this version reads, sections included, such as `train.optim.lr`.
 * A map such as `dataset.label_map` counts as one key.
 */
export function supportedKeys(): string[] {
  return [...collected.sections.map(({ section }) => section), ...collected.keys.map(({ key }) => key)]
}
