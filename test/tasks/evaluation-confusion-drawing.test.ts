import sharp from 'sharp'
import { expect, it } from 'vitest'
import { svgToPng } from '../../src-main/media/draw-svg.ts'
import { confusionDrawing } from '../../src-main/tasks/evaluation/confusion-drawing.ts'

it('has names, counts and a cell for every pair of classes, darker for a larger share of its row', () => {
  const svg = confusionDrawing(
    ['fall & <get> up', 'walk'],
    [
      [3, 1],
      [0, 8],
    ],
  )
  expect(svg.match(/fall &amp; &lt;get&gt; up/g)).toHaveLength(2)
  expect([...svg.matchAll(/text-anchor="middle">(\d+)</g)].map(([, count]) => count)).toEqual(['3', '1', '8'])
  const shades = [...svg.matchAll(/fill="rgb\((\d+),/g)].map(([, red]) => Number(red))
  expect(shades).toEqual([79, 196, 255, 20])
})

it('stays readable with many classes, with long names, and is drawn in its own size', async () => {
  const names = Array.from({ length: 60 }, (_, k) => `class_${k}_${'x'.repeat(40)}\u0007`)
  const matrix = names.map((_, row) => names.map((_, column) => (row === column ? 12345 : 0)))
  const svg = confusionDrawing(names, matrix)
  const [, width, height] = /width="(\d+)" height="(\d+)"/.exec(svg) ?? []
  const picture = await sharp(await svgToPng(svg)).metadata()
  expect([picture.width, picture.height]).toEqual([Number(width), Number(height)])
  expect(Number(height)).toBeGreaterThan(60 * 16)
  expect(svg).not.toContain('\u0007')
  expect(svg).toContain('…')
})
