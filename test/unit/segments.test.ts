import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { frameIndex } from '../../src-main/core/units.ts'
import { readSegments, writeSegments, type SegmentList } from '../../src-main/dataset/segments/index.ts'
import { FrameTable } from '../../src-main/media/index.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kineo-segments-'))
  return () => rm(folder, { recursive: true, force: true })
})

/** 100 frames at 29.97 frames a second, the first of them 0.5 s after the start of the file. */
const ntsc = new FrameTable({
  timeBase: { numerator: 1, denominator: 30_000 },
  pts: Array.from({ length: 100 }, (_, frame) => 15_000 + frame * 1001),
  keyFrames: [0],
  originPts: 0,
  damage: null,
})
/** 100 frames at 25 frames a second. */
const even = new FrameTable({
  timeBase: { numerator: 1, denominator: 25 },
  pts: Array.from({ length: 100 }, (_, frame) => frame),
  keyFrames: [0],
  originPts: 0,
  damage: null,
})

async function read(name: string, text: string, table = even): Promise<SegmentList> {
  await writeFile(join(folder, name), text)
  return readSegments(join(folder, name), table, 'day.mp4')
}

/** `class first-last` of each segment. */
function shown({ segments }: SegmentList): string[] {
  return segments.map(({ className, firstFrame, lastFrame }) => `${className} ${firstFrame}-${lastFrame}`)
}

const segments = [
  { className: 'wave', firstFrame: frameIndex(0), lastFrame: frameIndex(40), line: 1 },
  {
    className: 'say "hi", then\tgo <on> & on 👋',
    firstFrame: frameIndex(17),
    lastFrame: frameIndex(17),
    line: 2,
  },
  { className: 'clap', firstFrame: frameIndex(41), lastFrame: frameIndex(99), line: 3 },
]

describe.each(['csv', 'json', 'llc.csv', 'eaf', 'txt', 'boris.csv'])('a list as .%s', (ending) => {
  it.each([
    ['25 frames a second', even],
    ['29.97 frames a second and an offset', ntsc],
  ])('is the same after writing and reading at %s', async (_, table) => {
    // Tabs end a class in no format but JSON and CSV; control characters cannot be in a folder's name.
    const plain = segments.map((each) => ({ ...each, className: each.className.replace('\t', ' ') }))
    const path = join(folder, `list.${ending}`)
    await writeSegments(path, plain, table, 'day.mp4')
    const list = await readSegments(path, table, 'day.mp4')
    expect(list.problems).toEqual([])
    expect(list.segments.map(({ line: _line, ...segment }) => segment)).toEqual(
      plain.map(({ line: _line, ...segment }) => segment),
    )
  })
})

it('reads columns in any order, separators of other countries, and further columns', async () => {
  const list = await read('a.csv', '\ufefflast_frame;start_s;class;first_frame\r\n9;0,1;wave;3\r\n')
  expect(shown(list)).toEqual(['wave 3-9'])
})

it('tells each entry that cannot be used by line and reason, and keeps the rest', async () => {
  const lines = [
    'class,first_frame,last_frame',
    'wave,0,10',
    'wave,20,15',
    'wave,90,100',
    'wave,x,5',
    'wave,,5',
    ',1,2',
    'a/b,1,2',
    '..,1,2',
    `${'x'.repeat(300)},1,2`,
    'wave,0,10',
    'clap,0,10',
    'Wave,30,40',
    'wave,1,2,3',
    'wave,-1,2',
    'wave,2.5,4',
    '👋 "hi",3,9',
    'wave,99.0,99',
  ]
  const list = await read('bad.csv', lines.join('\n'))
  expect(shown(list)).toEqual(['wave 0-10', '👋 "hi" 3-9', 'wave 99-99'])
  expect(list.problems.map(({ line, reason }) => `${line}: ${reason}`)).toEqual([
    '3: the last frame, 15, is before the first, 20',
    '4: frame 100 is beyond the end of the video: its last frame is 99, to 4.000 s',
    '5: "x" is not the number of a frame',
    '6: a frame is missing',
    '7: the class is missing',
    '8: the class "a/b" has a slash in it, which no folder can have',
    '9: the class ".." begins with a dot, as hidden folders do',
    expect.stringMatching(/^10: the class "x+…" has 300 bytes; a folder can have 255$/),
    '11: the same segment stands in line 2',
    '12: the same frames are "wave" in line 2',
    '13: the class "Wave" is spelt "wave" in line 2',
    '14: the line has 4 cells for 3 columns; a name with a comma needs quotes',
    '15: frame -1 is below 0, the first one',
    '16: "2.5" is not the number of a frame',
  ])
})

it('takes an empty start and end of LosslessCut for those of the video', async () => {
  const list = await read('cut.csv', ',1.0,wave\n1.02,2,clap\n2,,jump\n')
  // 1.02 s is in the middle of frame 25.
  expect(list.format).toBe('losslesscut')
  expect(shown(list)).toEqual(['wave 0-24', 'clap 25-49', 'jump 50-99'])
})

it('takes rounded times for the frames that they were made of', async () => {
  // Frame 1 appears at 0.533367 s, frame 4 at 0.633467 s.
  expect(shown(await read('ms.csv', '0.533,0.633,wave\n', ntsc))).toEqual(['wave 1-3'])
})

it('reads tab-delimited text of ELAN with all its times, with and without a header', async () => {
  const row = 'gesture\tann\t00:00:01.000\t1.000\t00:00:02.000\t2.000\t00:00:01.000\t1.000\twave\n'
  const head =
    'Tier\tParticipant\tBegin Time - hh:mm:ss.ms\tBegin Time - ss.msec\tEnd Time - hh:mm:ss.ms\tEnd Time - ss.msec\t' +
    'Duration - hh:mm:ss.ms\tDuration - ss.msec\tAnnotation\n'
  for (const text of [row, head + row]) {
    const list = await read('elan.txt', text)
    expect(list.format).toBe('elan')
    expect(shown(list)).toEqual(['wave 25-49'])
  }
})

it('reads tabular events of BORIS, of this video only, and names events without an end', async () => {
  const text =
    'Observation id,Media file name,Subject,Behavior,Behavior type,Time\n' +
    'o,videos/day.mp4,,wave,START,1.000\n' +
    'o,videos/day.mp4,,wave,STOP,2.000\n' +
    'o,videos/night.mp4,,wave,POINT,0.5\n' +
    'o,videos/day.mp4,,clap,POINT,3.000\n' +
    'o,videos/day.mp4,,jump,START,3.200\n'
  const list = await read('events.csv', text)
  expect(list.format).toBe('boris')
  expect(shown(list)).toEqual(['wave 25-49', 'clap 75-75'])
  expect(list.problems).toEqual([{ line: 6, reason: '"jump" starts and never stops' }])
  expect(list.notes).toEqual(['Of the 2 videos in the list only the events of day.mp4 are taken'])
})

it.each([
  ['columns that are none of ours', 'x.csv', 'foo,bar\n1,2\n', 'not understood'],
  ['a missing column', 'x.csv', 'class,first_frame\nwave,2\n', 'no column last_frame'],
  ['torn JSON', 'x.json', '[{"class": ', 'not whole JSON'],
  ['a torn quote', 'x.csv', 'class,first_frame,last_frame\n"wave,1,2\n', 'does not end'],
])('refuses a list with %s', async (_, name, text, message) => {
  await expect(read(name, text)).rejects.toMatchObject({
    code: 'input',
    message: expect.stringContaining(message),
  })
})

it('asks for a name that tells the format to write', async () => {
  await expect(writeSegments(join(folder, 'list.doc'), [], even, 'day.mp4')).rejects.toMatchObject({
    code: 'usage',
  })
})
