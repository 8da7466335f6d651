import { describe, expect, it } from 'vitest'
import { parseDelimited } from '../../src-main/dataset/importers/delimited-text.ts'
import { classFolders, placeVideos } from '../../src-main/dataset/importers/index.ts'
import { partInName, partOf } from '../../src-main/dataset/importers/listing.ts'

const cells = (text: string, separator = ','): string[][] =>
  parseDelimited(text, separator, 'table').map((row) => row.cells)

describe('separated values', () => {
  it('are read after RFC 4180', () => {
    expect(cells('a,b\r\nc,d\r\n')).toEqual([
      ['a', 'b'],
      ['c', 'd'],
    ])
    expect(cells('"a ""quoted"" cell","with, and\r\nline end",""\n')).toEqual([
      ['a "quoted" cell', 'with, and\r\nline end', ''],
    ])
    expect(cells('a,,c,')).toEqual([['a', '', 'c', '']])
  })

  it('may end lines with LF or CR, leave lines empty, and put white space before a quote', () => {
    expect(cells('a;"b;c"\r\r; \n\nd;  "e"', ';')).toEqual([
      ['a', 'b;c'],
      ['d', 'e'],
    ])
    expect(cells('5" pipe,x"y')).toEqual([['5" pipe', 'x"y']])
    expect(cells('')).toEqual([])
  })

  it('know the line that a row begins on', () => {
    const rows = parseDelimited('a\n"b\r\nb"\r\n\nc\rd', ',', 'table')
    expect(rows.map(({ line, cells: [first] }) => [line, first])).toEqual([
      [1, 'a'],
      [2, 'b\r\nb'],
      [5, 'c'],
      [6, 'd'],
    ])
    expect(() => parseDelimited('a\n"b\n\n', ',', 'table')).toThrow(
      expect.objectContaining({ where: 'table, line 2' }),
    )
  })
})

describe('parts', () => {
  it('are known by the words that data sets use, and by the name of a list when it speaks of one', () => {
    expect(['Training', ' validate ', 'VAL', 'testing', 'extra', ''].map(partOf)).toEqual([
      ...['train', 'val', 'val', 'test', null, null],
    ])
    const lists = [
      'k400_val_list.txt',
      'validate.csv',
      'hmdb51_train_split_1_videos.txt',
      'camera-test.v2.csv',
    ]
    expect(lists.map(partInName)).toEqual(['val', 'val', 'train', null])
    const others = ['train+val.csv', 'contest.csv', 'training-room.csv', 'clips.csv']
    expect(others.map(partInName)).toEqual([null, null, null, null])
  })
})

describe('class folders', () => {
  const names = (...classNames: string[]): string[] => [...classFolders(classNames, () => {}).values()]

  it('are called as the class where a folder can be, and stay within the dataset', () => {
    const usual = ['air drumming', 'Größe 🎬', "it's #1", 'v1.2']
    expect(names(...usual)).toEqual(usual)
    expect(names('..', '.x', 'a/../b', 'c\\d', 'line\nend', '')).toEqual([
      ...['__', '_x', 'a_.._b', 'c_d', 'line_end', '_'],
    ])
    const [long = ''] = names('ü'.repeat(200))
    expect(Buffer.byteLength(long)).toBeLessThanOrEqual(255)
    expect(names(`${'ü'.repeat(200)}a`)[0]).not.toBe(long)
  })

  it('are not shared, however a file system compares names', () => {
    expect(() => names('wave', 'Wave')).toThrow('Two classes would share a folder')
    expect(() => names('a/b', 'a_b')).toThrow('Two classes would share a folder')
    expect(() => names('\u00fc', 'u\u0308')).toThrow('Two classes would share a folder')
  })
})

describe('places', () => {
  const places = async (sources: readonly string[], held: string[] = []): Promise<Record<string, string>> => {
    const videos = sources.map((source) => ({ source, className: 'wave', part: 'train' as const }))
    const folders = classFolders(['wave'], () => {})
    const placed = await placeVideos(videos, folders, '/data', (place, source) =>
      Promise.resolve(
        held.includes(`${place} ${source}`)
          ? 'this'
          : held.some((each) => each.startsWith(`${place} `))
            ? 'another'
            : 'nothing',
      ),
    )
    return Object.fromEntries(placed.map(({ source, place }) => [source, place]))
  }

  it('do not depend on the other videos of a source that share the name', async () => {
    const two = await places(['/data/a/x.mp4', '/data/b/X.mp4'])
    const three = await places(['/data/0/x.mp4', '/data/a/x.mp4', '/data/b/X.mp4'])
    expect(two).toEqual({ '/data/a/x.mp4': 'train/wave/x_a.mp4', '/data/b/X.mp4': 'train/wave/X_b.mp4' })
    expect(three).toMatchObject(two)
  })

  it('are all different, even where the new name is taken', async () => {
    const sources = ['/data/a/x.mp4', '/data/b/x.mp4', '/data/x_a.mp4', '/data/c/a/x.mp4', '/data/x_b.MP4']
    const taken = Object.values(await places(sources)).map((place) => place.toLowerCase())
    expect(new Set(taken).size).toBe(sources.length)
  })

  it('stay with the video that holds one', async () => {
    const held = ['train/wave/x.mp4 /data/b/x.mp4']
    expect(await places(['/data/a/x.mp4', '/data/b/x.mp4'], held)).toEqual({
      '/data/a/x.mp4': 'train/wave/x_a.mp4',
      '/data/b/x.mp4': 'train/wave/x.mp4',
    })
  })
})
