import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { KineoError } from '../../src-main/core/errors.ts'
import { sortFrameNames } from '../../src-main/dataset/frame-folders.ts'
import { listDataset, listVideos } from '../../src-main/dataset/samples.ts'

let root: string
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'kineo-samples-'))
})
afterEach(async () => {
  await rm(root, { recursive: true, force: true })
})

const labelMap = new Map([
  ['push', 0],
  ['wave', 1],
  ['circle', 2],
])

async function put(...paths: string[]): Promise<void> {
  for (const path of paths) {
    await mkdir(dirname(join(root, path)), { recursive: true })
    await writeFile(join(root, path), '')
  }
}

/** Listing does not open images, so empty files do. */
async function putVideo(video: string, streams: Record<string, number>): Promise<void> {
  for (const [stream, count] of Object.entries(streams)) {
    await mkdir(join(root, video, stream), { recursive: true })
    for (let i = 0; i < count; i++) await put(`${video}/${stream}/${String(i).padStart(6, '0')}.png`)
  }
}

async function failure(work: Promise<unknown>): Promise<KineoError> {
  const error: unknown = await work.then(
    () => null,
    (reason: unknown) => reason,
  )
  if (!(error instanceof KineoError)) throw new Error(`no KineoError: ${String(error)}`)
  return error
}

describe('listDataset', () => {
  it('lists classes, videos and frames in order, with the class index of the label map', async () => {
    await putVideo('wave/b', { rgb: 3 })
    await putVideo('wave/a', { rgb: 2 })
    await putVideo('push/z', { rgb: 1 })
    const samples = await listDataset(root, labelMap, 'rgb')
    expect(samples.map(({ label, name, classIndex }) => [label, name, classIndex])).toEqual([
      ['push', 'z', 0],
      ['wave', 'a', 1],
      ['wave', 'b', 1],
    ])
    expect(samples[2]).toEqual({
      path: join(root, 'wave', 'b'),
      name: 'b',
      label: 'wave',
      classIndex: 1,
      rgb: ['000000.png', '000001.png', '000002.png'].map((name) => join(root, 'wave', 'b', 'rgb', name)),
      u: [],
      v: [],
    })
  })

  it('pairs u and v for flow and does not look for rgb', async () => {
    await putVideo('wave/a', { u: 2, v: 2 })
    const [sample] = await listDataset(root, labelMap, 'of')
    expect(sample?.u.map((file) => file.slice(-12))).toEqual(
      ['/000000.png', '/000001.png'].map((n) => `u${n}`),
    )
    expect(sample?.v).toHaveLength(2)
    expect(sample?.rgb).toEqual([])
  })

  it('lists colour and flow for joint, which may have one flow image less but not more', async () => {
    await putVideo('wave/a', { rgb: 3, u: 2, v: 2 })
    await putVideo('wave/b', { rgb: 2, u: 2, v: 2 })
    const samples = await listDataset(root, labelMap, 'joint')
    expect(samples.map(({ rgb, u, v }) => [rgb.length, u.length, v.length])).toEqual([
      [3, 2, 2],
      [2, 2, 2],
    ])
    await putVideo('wave/c', { rgb: 2, u: 3, v: 3 })
    expect((await failure(listDataset(root, labelMap, 'joint'))).describe()).toContain(
      `A video has 2 rgb frames and 3 flow images: ${join(root, 'wave', 'c')}`,
    )
  })

  it('skips dot and system entries in silence and files with a note, and follows links to folders', async () => {
    await putVideo('wave/a', { rgb: 1 })
    await put(
      '.cache/x',
      '.DS_Store',
      'Thumbs.db',
      'desktop.ini',
      '__MACOSX/wave/x',
      'wave/@eaDir/x',
      'groups.csv',
      'wave/.hidden/x',
      'wave/notes.txt',
      'wave/a/rgb/Thumbs.db',
      'wave/a/rgb/notes.md',
    )
    await put('wave/a/rgb/._000000.png')
    await symlink(join(root, 'wave', 'a'), join(root, 'wave', 'linked'))
    const notes: string[] = []
    const samples = await listDataset(root, new Map([['wave', 0]]), 'rgb', (note) => notes.push(note))
    expect(samples.map(({ name, rgb }) => [name, rgb.length])).toEqual([
      ['a', 1],
      ['linked', 1],
    ])
    expect(notes).toEqual([
      `Ignored 1 file (groups.csv) in the dataset folder ${root}`,
      `Ignored 1 file (notes.txt) in the class folder ${join(root, 'wave')}`,
      `Ignored 1 file (notes.md) that are no images in ${join(root, 'wave', 'a', 'rgb')}`,
      `Ignored 1 file (notes.md) that are no images in ${join(root, 'wave', 'linked', 'rgb')}`,
    ])
  })

  it('names the classes of the label map that have no folder or no videos', async () => {
    await putVideo('wave/a', { rgb: 1 })
    await mkdir(join(root, 'push'))
    const notes: string[] = []
    await listDataset(root, labelMap, 'rgb', (note) => notes.push(note))
    expect(notes).toEqual([
      `The classes "push", "circle" have no videos in ${root}: add their folders, or take them out of label_map`,
    ])
  })

  it('names a class that is not in the label map, and the classes that are', async () => {
    await putVideo('jump/a', { rgb: 1 })
    const error = await failure(listDataset(root, labelMap, 'rgb'))
    expect(error.code).toBe('input')
    expect(error.describe()).toContain(`The class "jump" is not in the label map: ${root}`)
    expect(error.describe()).toContain('push, wave, circle')
  })

  it('points to train when given the folder above the split', async () => {
    await putVideo('train/wave/a', { rgb: 1 })
    await putVideo('val/wave/a', { rgb: 1 })
    const error = await failure(listDataset(root, labelMap, 'rgb'))
    expect(error.remedy).toContain(join(root, 'train'))
  })

  it('tells a folder at the wrong level: of one video, and a class whose videos are missing', async () => {
    await putVideo('video', { rgb: 1, u: 1, v: 1 })
    const one = await failure(listDataset(join(root, 'video'), labelMap, 'rgb'))
    expect(one.remedy).toContain('folder of one video')
    const flat = await failure(listDataset(root, new Map([['video', 0]]), 'rgb'))
    expect(flat.describe()).toContain(`has frames where its videos should be: ${join(root, 'video')}`)
  })

  it('sends people with video files to preprocess', async () => {
    await put('wave/a.mp4', 'wave/b.MOV')
    const error = await failure(listDataset(root, labelMap, 'rgb'))
    expect(error.message).toBe('The dataset has no videos')
    expect(error.remedy).toContain('kineo preprocess')
    await putVideo('wave/c', { rgb: 1 })
    const notes: string[] = []
    await listDataset(root, labelMap, 'rgb', (note) => notes.push(note))
    expect(notes[0]).toContain('2 files (a.mp4, ...)')
    expect(notes[0]).toContain('kineo preprocess')
  })

  it('tells a file where the frames should be, and flow that was never made', async () => {
    await put('wave/a/rgb')
    expect((await failure(listDataset(root, labelMap, 'rgb'))).describe()).toContain(
      `The folder of frames is not a folder: ${join(root, 'wave', 'a', 'rgb')}`,
    )
    const flow = await failure(listDataset(root, labelMap, 'of'))
    expect(flow.describe()).toContain(`The folder of flow images is missing: ${join(root, 'wave', 'a', 'u')}`)
    expect(flow.remedy).toContain('model_type rgb')
    await putVideo('wave/a', { u: 0, v: 0 })
    expect((await failure(listDataset(root, labelMap, 'of'))).message).toBe('A video has no flow images')
  })

  it('tells a frame that stands twice', async () => {
    await put('wave/a/rgb/000000.png', 'wave/a/rgb/000001.png', 'wave/a/rgb/000001.jpg')
    expect((await failure(listDataset(root, labelMap, 'rgb'))).message).toMatch(
      /stands twice, as 000001\.(png and 000001\.jpg|jpg and 000001\.png)/,
    )
  })

  it('tells a missing root, a file in its place and a root without videos', async () => {
    const missing = join(root, 'nowhere')
    expect((await failure(listDataset(missing, labelMap, 'rgb'))).describe()).toBe(
      `The dataset folder is missing: ${missing}`,
    )
    await put('file')
    expect((await failure(listDataset(join(root, 'file'), labelMap, 'rgb'))).message).toContain(
      'not a folder',
    )
    expect((await failure(listDataset(root, labelMap, 'rgb'))).message).toBe('The dataset has no videos')
  })

  it('tells u and v of unequal length or with other names', async () => {
    await putVideo('wave/a', { u: 3, v: 2 })
    expect((await failure(listDataset(root, labelMap, 'of'))).message).toBe(
      'A video has 3 images in u and 2 in v',
    )
    await rm(join(root, 'wave'), { recursive: true })
    await put('wave/a/u/000001.jpg', 'wave/a/v/000002.jpg')
    const error = await failure(listDataset(root, labelMap, 'of'))
    expect(error.describe()).toContain('000001.jpg in u')
    expect(error.describe()).toContain('000002.jpg in v')
  })

  it('tells all unusable videos at once', async () => {
    await putVideo('wave/empty', { rgb: 0 })
    await putVideo('wave/flow-only', { u: 2, v: 2 })
    await putVideo('wave/good', { rgb: 1 })
    const error = await failure(listDataset(root, labelMap, 'rgb'))
    expect(error.message).toBe(
      [
        '2 of 3 videos cannot be used:',
        `  A video has no frames: ${join(root, 'wave', 'empty', 'rgb')}`,
        `  The folder of frames is missing: ${join(root, 'wave', 'flow-only', 'rgb')}`,
      ].join('\n'),
    )
    await rm(join(root, 'wave', 'flow-only'), { recursive: true })
    expect((await failure(listDataset(root, labelMap, 'rgb'))).message).toBe('A video has no frames')
  })

  it('lists 20 problems and counts the others', async () => {
    for (let i = 0; i < 23; i++) await putVideo(`wave/v${String(i).padStart(2, '0')}`, { rgb: 0 })
    const lines = (await failure(listDataset(root, labelMap, 'rgb'))).message.split('\n')
    expect(lines).toHaveLength(22)
    expect(lines[0]).toBe('23 of 23 videos cannot be used:')
    expect(lines[20]).toContain('v19')
    expect(lines[21]).toBe('  and 3 more')
  })

  it('lists 3,000 videos', async () => {
    await Promise.all(
      Array.from({ length: 3000 }, (_, i) => mkdir(join(root, 'wave', `v${i}`, 'rgb'), { recursive: true })),
    )
    await Promise.all(
      Array.from({ length: 3000 }, (_, i) => writeFile(join(root, 'wave', `v${i}`, 'rgb', '000000.png'), '')),
    )
    expect(await listDataset(root, labelMap, 'rgb')).toHaveLength(3000)
  })
})

describe('listVideos', () => {
  it('lists one level without labels', async () => {
    await putVideo('b', { u: 1, v: 1 })
    await putVideo('a', { u: 1, v: 1 })
    const samples = await listVideos(root, 'of')
    expect(samples.map(({ name, label, classIndex }) => [name, label, classIndex])).toEqual([
      ['a', null, null],
      ['b', null, null],
    ])
  })

  it('tells a folder without videos', async () => {
    expect((await failure(listVideos(root, 'rgb'))).message).toBe('The folder has no videos')
  })
})

describe('the order of frames', () => {
  it('is that of the text for names of one length', () => {
    expect(sortFrameNames(['000010.png', '000002.png', '000001.png'])).toEqual([
      '000001.png',
      '000002.png',
      '000010.png',
    ])
  })

  it('is that of the numbers for names of unequal length', () => {
    expect(sortFrameNames(['10.png', '9.png', '100.png', '1.png'])).toEqual([
      '1.png',
      '9.png',
      '10.png',
      '100.png',
    ])
    expect(sortFrameNames(['cam2_10.jpg', 'cam2_9.jpg'])).toEqual(['cam2_9.jpg', 'cam2_10.jpg'])
  })
})
