import type { Command } from './command.ts'

/** A command that fits what was typed, with its title cut around the fitting part. */
export interface CommandMatch {
  command: Command
  before: string
  hit: string
  after: string
}

const groupOrder: Command['group'][] = ['work', 'go', 'project', 'view']

/** Enabled commands whose title holds the query, beginnings of words first, kept together by group. */
export function matchCommands(commands: readonly Command[], query: string): CommandMatch[] {
  const wanted = query.trim().toLowerCase()
  const matches = commands
    .filter((command) => command.enabled)
    .map((command) => {
      const title = command.title.toLowerCase()
      const wordStart = ` ${title}`.indexOf(` ${wanted}`)
      const at = wordStart >= 0 ? wordStart : title.indexOf(wanted)
      return { command, at, rank: wordStart >= 0 ? 0 : 1 }
    })
    .filter((match) => match.at >= 0)
    .sort(
      (a, b) => groupOrder.indexOf(a.command.group) - groupOrder.indexOf(b.command.group) || a.rank - b.rank,
    )
  return matches.map(({ command, at }) => ({
    command,
    before: command.title.slice(0, at),
    hit: command.title.slice(at, at + wanted.length),
    after: command.title.slice(at + wanted.length),
  }))
}
