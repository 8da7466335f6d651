import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

/** The contrast that docs promise (WCAG 2.2 AA), checked on the tokens themselves, in every theme. */
const css = readFileSync('src-renderer/styles/tokens.css', 'utf8').replaceAll(/\/\*.*?\*\//gs, '')

type Tokens = Map<string, string>

function block(selector: RegExp): Tokens {
  const body = selector.exec(css)?.[1] ?? ''
  return new Map([...body.matchAll(/--([\w-]+):\s*([^;]+);/g)].map((match) => [match[1]!, match[2]!.trim()]))
}

const light = block(/:root\s*\{([^}]*)\}/)
const themes: Record<string, Tokens> = {
  light,
  dark: new Map([...light, ...block(/\[data-theme=['"]dark['"]\]\s*\{([^}]*)\}/)]),
  'high contrast': new Map([...light, ...block(/\[data-theme=['"]hc['"]\]\s*\{([^}]*)\}/)]),
}

/** Relative luminance of #rgb or #rrggbb (WCAG 2.2). */
function luminance(colour: string): number {
  const hex = colour.slice(1)
  const full = hex.length === 3 ? [...hex].map((digit) => digit + digit).join('') : hex
  expect(full, `${colour} is opaque`).toMatch(/^[0-9a-f]{6}$/i)
  const [red, green, blue] = [0, 2, 4].map((at) => {
    const value = parseInt(full.slice(at, at + 2), 16) / 255
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4
  }) as [number, number, number]
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}

function contrast(a: string, b: string): number {
  const [dark, bright] = [luminance(a), luminance(b)].sort((x, y) => x - y) as [number, number]
  return (bright + 0.05) / (dark + 0.05)
}

const classes = Array.from({ length: 12 }, (_, i) => `class-${i + 1}`)
const states = ['ok', 'warn', 'bad', 'info']

/** Foreground, background and the ratio that is needed between them. */
const pairs: [string, string, number][] = [
  ...['bg-app', 'bg-panel', 'bg-raised', 'bg-well', 'bg-selected'].flatMap(
    (ground): [string, string, number][] => [
      ['text', ground, 4.5],
      ['text-2', ground, 4.5],
    ],
  ),
  ...['bg-app', 'bg-panel'].flatMap((ground): [string, string, number][] => [
    ['text-3', ground, 4.5],
    ['accent-text', ground, 4.5],
  ]),
  ...['accent', 'accent-hover', 'accent-press'].map((fill): [string, string, number] => [
    'on-accent',
    fill,
    4.5,
  ]),
  ...states.map((state): [string, string, number] => [`${state}-text`, `${state}-soft`, 4.5]),
  ...[3, 4, 5].map((step): [string, string, number] => [`heat-${step}-ink`, `heat-${step}`, 4.5]),
  ...classes.map((name): [string, string, number] => [`${name}-ink`, name, 4.5]),
  ...classes.map((name): [string, string, number] => [`${name}-line`, 'bg-panel', 3]),
  ...['line-control', 'focus', 'chart-a', 'chart-b', 'accent-line'].map((line): [string, string, number] => [
    line,
    'bg-panel',
    3,
  ]),
  ['focus', 'focus-halo', 3],
  ['axis', 'bg-panel', 4.5],
]

describe.each(Object.entries(themes))('the %s theme', (_, tokens) => {
  it.each(pairs)('has %s readable on %s: %d to 1', (foreground, ground, needed) => {
    const colours = [tokens.get(foreground), tokens.get(ground)]
    expect(colours).not.toContain(undefined)
    expect(contrast(colours[0]!, colours[1]!)).toBeGreaterThanOrEqual(needed)
  })
})
