import { describe, expect, it } from 'vitest'
import { chordOf } from '../../src-renderer/commands/keyboard.ts'
import { failureOf } from '../../src-renderer/api/failure.ts'
import { matchCommands } from '../../src-renderer/commands/match.ts'
import type { Command } from '../../src-renderer/commands/command.ts'
import { bytes, clipLength, count, listed, percent, remaining } from '../../src-renderer/texts/format.ts'
import { classLetters, markOf } from '../../src-renderer/ui/class-marks.ts'

describe('numbers in words', () => {
  it('writes counts, fractions and sizes as the guide asks', () => {
    expect(count(32486)).toBe('32\u2009486')
    expect(percent(0.87097)).toBe('87.1 %')
    expect(percent(1)).toBe('100 %')
    expect([34, 44_803_423, 1.2e9].map(bytes)).toEqual(['34 B', '44.8 MB', '1.2 GB'])
    expect([1.6, 65].map(clipLength)).toEqual(['1.6 s', '1:05'])
    expect(listed(['left', 'right', 'up'])).toBe('left, right and up')
  })

  it('rounds remaining time up to 5 s, to minutes, to 5 min', () => {
    expect([0, 3, 31, 55, 56, 90, 3599, 3600, 5100].map(remaining)).toEqual([
      '5 s',
      '5 s',
      '35 s',
      '55 s',
      '1 min',
      '2 min',
      '1 h',
      '1 h',
      '1 h 25 min',
    ])
  })
})

describe('marks of classes', () => {
  it('takes the first free letter of each name, then two letters', () => {
    expect(classLetters(['left', 'right', 'up', 'down', 'circle', 'star'])).toEqual([
      'L',
      'R',
      'U',
      'D',
      'C',
      'S',
    ])
    expect(classLetters(['walk', 'wave', 'wa'])).toEqual(['W', 'A', 'Wa'])
    const many = classLetters(Array.from({ length: 40 }, () => 'ab'))
    expect(new Set(many).size).toBe(40)
  })

  it('repeats colours from the 13th class on', () => {
    expect([markOf(0), markOf(11), markOf(12)]).toEqual(['k1', 'k12', 'k1'])
  })
})

describe('keys', () => {
  it('writes a key press as commands write their chords', () => {
    const press = { ctrlKey: false, metaKey: false, altKey: false }
    expect(chordOf({ ...press, key: 't' })).toBe('T')
    expect(chordOf({ ...press, key: '?' })).toBe('?')
    expect(chordOf({ ...press, key: 'k', ctrlKey: true })).toBe('Ctrl+K')
    expect(chordOf({ ...press, key: 'Enter', metaKey: true })).toBe('Ctrl+Enter')
    expect(chordOf({ ...press, key: '1', altKey: true })).toBeNull()
  })
})

describe('the palette', () => {
  const command = (title: string, group: Command['group'], enabled = true): Command => ({
    id: title,
    title,
    group,
    icon: 'play',
    keys: null,
    enabled,
    run: () => undefined,
  })
  const commands = [
    command('Export', 'go'),
    command('Set up a new run', 'work'),
    command('Start', 'work', false),
  ]

  it('finds enabled commands by the beginning of a word first, kept together by group', () => {
    expect(matchCommands(commands, '').map((match) => match.command.title)).toEqual([
      'Set up a new run',
      'Export',
    ])
    const [match] = matchCommands(commands, 'NEW')
    expect(match).toMatchObject({ before: 'Set up a ', hit: 'new', after: ' run' })
    expect(matchCommands(commands, 'start')).toEqual([])
  })
})

describe('failures', () => {
  it('keeps what, where and what to do of an expected failure', () => {
    const error = Object.assign(new Error('Cannot open the folder'), {
      data: { where: '/clips', remedy: 'Choose another' },
    })
    expect(failureOf(error)).toEqual({
      what: 'Cannot open the folder',
      where: '/clips',
      remedy: 'Choose another',
    })
    expect(failureOf('gone')).toEqual({ what: 'gone', where: null, remedy: null })
  })
})
