import { execFileSync } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Clip } from '../../src-main/api/contract/index.ts'
import { Workbench } from '../../src-main/api/index.ts'
import { mediaTools, probe } from '../../src-main/media/index.ts'
import { writeTinyDataset } from '../tasks/tiny-dataset.ts'
import { renderVideos } from './harness.ts'

let folder: string
let workbench: Workbench

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kineo-sources-'))
  process.env['KINEO_HOME'] = join(folder, 'home')
  workbench = new Workbench({ kind: 'browser', log: (line) => console.error(line) })
})

afterEach(() => {
  workbench.dispose()
  delete process.env['KINEO_HOME']
  rmSync(folder, { recursive: true, force: true })
})

function get(address: string): Promise<Response> {
  return workbench.media(new Request(`http://localhost${address}`))
}

function splits(clips: readonly Clip[]): Record<string, string> {
  return Object.fromEntries(clips.map(({ name, className, split }) => [`${className}/${name}`, split]))
}

describe('a TAO dataset', () => {
  it('opens as clips that are prepared already, with pictures and previews made from the frames', async () => {
    const dataset = join(folder, 'dataset')
    await writeTinyDataset(join(dataset, 'train'), { videos: { clap: 2, wave: 2 } })
    await writeTinyDataset(join(dataset, 'val'), { videos: { clap: 1, wave: 1 } })
    const state = await workbench.open(dataset)
    expect(state).toMatchObject({
      kind: 'tao-dataset',
      clipCount: 6,
      preparedClipCount: 6,
      hasRgb: true,
      hasFlow: true,
      classes: [
        { index: 0, name: 'clap', trainClips: 2, valClips: 1 },
        { index: 1, name: 'wave', trainClips: 2, valClips: 1 },
      ],
    })
    await vi.waitFor(() => expect(workbench.clips()[0]).toMatchObject({ width: 40, height: 40 }), 10_000)
    const clip = workbench.clips()[0]!
    expect(clip).toMatchObject({ frameCount: 5, prepared: true, problem: null, durationSeconds: null })
    expect((await get(clip.thumbnailUrl)).headers.get('content-type')).toBe('image/png')
    const preview = await get(clip.mediaUrl)
    expect(preview.headers.get('content-type')).toBe('video/mp4')
    expect((await preview.arrayBuffer()).byteLength).toBeGreaterThan(500)
    expect(() => workbench.prepare('dis')).toThrow('prepared already')
    expect(workbench.planTraining({})).toMatchObject({
      blockedBy: null,
      settings: { modelType: 'of', ofFrames: 4 },
    })
  })

  it('without flow is trained on pictures, and says why not on motion or both', async () => {
    const dataset = join(folder, 'dataset')
    for (const split of ['train', 'val']) {
      await writeTinyDataset(join(dataset, split), { videos: { clap: 2, wave: 2 } })
      for (const clip of ['clap/video_0', 'clap/video_1', 'wave/video_0', 'wave/video_1']) {
        for (const axis of ['u', 'v']) rmSync(join(dataset, split, clip, axis), { recursive: true })
      }
    }
    await workbench.open(dataset)
    expect(workbench.planTraining({})).toMatchObject({ blockedBy: null, settings: { modelType: 'rgb' } })
    const blockedBy = (modelType: string) =>
      workbench.planTraining({ 'model.model_type': modelType }).blockedBy
    expect(blockedBy('of')).toContain('8 clips of this dataset have no optical flow')
    expect(blockedBy('joint')).toContain('8 clips of this dataset have not both pictures and optical flow')
    expect(() => workbench.startTraining({ 'model.model_type': 'joint' })).toThrow('8 clips of this dataset')
    expect(workbench.runs()).toEqual([])
  })

  it('without a validation part gets one, a fifth of each class, that stays when clips are added', async () => {
    const dataset = join(folder, 'dataset')
    await writeTinyDataset(dataset, { videos: { clap: 5, wave: 6 }, frames: 3 })
    await workbench.open(dataset)
    const before = splits(workbench.clips())
    expect(Object.values(before).filter((split) => split === 'val')).toHaveLength(2)
    await workbench.close()

    for (let copy = 0; copy < 5; copy++) {
      cpSync(join(dataset, 'clap', 'video_0'), join(dataset, 'clap', `added_${copy}`), { recursive: true })
    }
    await workbench.open(dataset)
    const after = splits(workbench.clips())
    expect(after).toMatchObject(before)
    expect(
      Object.entries(after).filter(([name, split]) => name.startsWith('clap/') && split === 'val'),
    ).toHaveLength(2)
  })
})

describe('a folder of videos', () => {
  it('keeps the split of known clips when new ones come', async () => {
    const videos = join(folder, 'videos')
    await renderVideos(videos, { left: [-2, 0], right: [2, 0] }, 4)
    await workbench.open(videos)
    const before = splits(workbench.clips())
    expect(Object.values(before).filter((split) => split === 'val').length).toBeGreaterThanOrEqual(2)
    await renderVideos(videos, { up: [0, -2] }, 4)
    await workbench.open(videos)
    const after = splits(workbench.clips())
    expect(after).toMatchObject(before)
    expect(Object.keys(after)).toHaveLength(12)
    expect(Object.entries(after).some(([name, split]) => name.startsWith('up/') && split === 'val')).toBe(
      true,
    )
  })

  it('plays a video that a browser does not play through a copy, and leaves the original as it is', async () => {
    const videos = join(folder, 'videos')
    await renderVideos(videos, { left: [-2, 0], right: [2, 0] }, 2)
    const original = join(videos, 'left', 'old.avi')
    const { ffmpeg } = await mediaTools()
    execFileSync(ffmpeg, ['-v', 'error', '-i', join(videos, 'left', 'left_1.mp4'), '-c:v', 'mpeg4', original])
    const before = statSync(original)
    await workbench.open(videos)
    const clip = workbench.clips().find(({ name }) => name === 'old')!
    const answers = await Promise.all([get(clip.mediaUrl), get(clip.mediaUrl)])
    expect(answers.map(({ status }) => status)).toEqual([200, 200])
    const copy = join(folder, 'copy.mp4')
    writeFileSync(copy, new Uint8Array(await answers[0]!.arrayBuffer()))
    expect(await probe(copy)).toMatchObject({ codec: 'h264', playable: true, width: 64, height: 48 })
    expect(statSync(original)).toMatchObject({ mtimeMs: before.mtimeMs, size: before.size })
  })
})
