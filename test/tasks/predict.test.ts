import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { z } from 'zod'
import { KineoError } from '../../src-main/core/errors.ts'
import { decodeModel, encodeModel } from '../../src-main/engine/onnx/model.ts'
import { OpticalFlow, rgbToGray } from '../../src-main/flow/index.ts'
import { parseSpec, type Spec } from '../../src-main/spec/index.ts'
import { exportModel, infer } from '../../src-main/tasks/index.ts'
import { predict } from '../../src-main/tasks/prediction/predict.ts'
import { preprocess } from '../../src-main/tasks/preprocess.ts'
import { makeSound, makeVideo } from '../media/make-video.ts'
import { writeRandomCheckpoint } from './random-checkpoint.ts'

vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 })

const classNames = ['clap', 'wave', 'jump']
const frameCount = 11
const scoreFile = z.object({
  frames: z.number(),
  window: z.number(),
  stride: z.number(),
  classes: z.array(z.string()),
  looped: z.string().optional(),
  windows: z.array(
    z.object({ first_frame: z.number(), last_frame: z.number(), scores: z.record(z.string(), z.number()) }),
  ),
})
type ScoreFile = z.output<typeof scoreFile>

let root: string
let video: string
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'kineo-predict-'))
  video = join(root, 'videos/long.mp4')
  await makeVideo(video, { frames: frameCount, width: 72, height: 48 })
  await preprocess({
    ...{ input: video, output: join(root, 'prepared'), flow: 'dis', preset: 'medium' },
    ...{ maxSide: undefined, fps: undefined, workers: 1, valFraction: undefined, seed: 1 },
  })
  await storeFlowWithoutLoss(join(root, 'prepared/long'))
})
afterAll(async () => {
  await rm(root, { recursive: true })
})

/** Replaces the JPEG flow of a prepared video by PNG, so that only the way of looking is compared. */
async function storeFlowWithoutLoss(clip: string): Promise<void> {
  const flow = OpticalFlow.create(72, 48, 'medium')
  const names = (await readdir(join(clip, 'rgb'))).sort()
  const flowNames = (await readdir(join(clip, 'u'))).sort()
  for (const [index, name] of names.entries()) {
    const rgb = await sharp(join(clip, 'rgb', name))
      .removeAlpha()
      .raw()
      .toBuffer()
    const picture = flow.nextGray(rgbToGray(rgb))
    if (picture === null) continue
    const old = flowNames[index - 1] ?? ''
    for (const [folder, data] of [
      ['u', picture.u],
      ['v', picture.v],
    ] as const) {
      await rm(join(clip, folder, old))
      const raw = { width: 72, height: 48, channels: 1 } as const
      const file = join(clip, folder, old.replace(/\.\w+$/, '.png'))
      await sharp(data, { raw }).toColourspace('b-w').png().toFile(file)
    }
  }
}

async function read(path: string): Promise<ScoreFile> {
  return scoreFile.parse(JSON.parse(await readFile(path, 'utf8')))
}

/** Prepared videos that hold the images of one window each, named in order. */
async function cutOut(windows: ScoreFile['windows'], to: string): Promise<void> {
  for (const [position, { first_frame: first, last_frame: last }] of windows.entries()) {
    for (const stream of ['rgb', 'u', 'v']) {
      const from = join(root, 'prepared/long', stream)
      const folder = join(to, `window_${String(position).padStart(3, '0')}`, stream)
      await mkdir(folder, { recursive: true })
      const names = (await readdir(from)).sort().slice(first, stream === 'rgb' ? last + 1 : last)
      for (const name of names) await copyFile(join(from, name), join(folder, name))
    }
  }
}

interface Kind {
  name: string
  model: Record<string, unknown>
  augmentation?: Record<string, unknown>
}

const kinds: Kind[] = [
  { name: 'rgb 2D', model: { model_type: 'rgb', rgb_seq_length: 3 } },
  { name: 'rgb 3D', model: { model_type: 'rgb', input_type: '3d', rgb_seq_length: 3, sample_rate: 2 } },
  { name: 'of 2D', model: { model_type: 'of', of_seq_length: 3, sample_rate: 2 } },
  { name: 'of 3D', model: { model_type: 'of', input_type: '3d', of_seq_length: 2 } },
  { name: 'joint 2D', model: { model_type: 'joint', rgb_seq_length: 2, of_seq_length: 4 } },
  {
    name: 'rgb 2D, center crop',
    model: { model_type: 'rgb', rgb_seq_length: 3 },
    augmentation: { val_center_crop: true, crop_smaller_edge: 40 },
  },
  {
    name: 'of 2D, center crop',
    model: { model_type: 'of', of_seq_length: 3 },
    augmentation: { val_center_crop: true, crop_smaller_edge: 40 },
  },
]

function specOf({ model, augmentation = {} }: Kind, more: object = {}): Spec {
  return parseSpec({
    model: { rgb_seq_length: 2, of_seq_length: 3, input_height: 32, input_width: 32, ...model },
    dataset: { workers: 1, augmentation_config: { train_crop_type: 'no_crop', ...augmentation } },
    ...more,
  })
}

async function writeModel(kind: Kind, path: string): Promise<void> {
  const { model } = specOf(kind)
  await writeRandomCheckpoint(
    path,
    {
      modelType: model.model_type,
      inputType: model.input_type,
      rgbSequenceLength: model.rgb_seq_length,
      ofSequenceLength: model.of_seq_length,
    },
    classNames,
  )
}

function overridesOf({ model, augmentation = {} }: Kind): string[] {
  return [
    ...Object.entries(model).map(([key, value]) => `model.${key}=${String(value)}`),
    ...Object.entries(augmentation).map(
      ([key, value]) => `dataset.augmentation_config.${key}=${String(value)}`,
    ),
  ]
}

describe('the scores of windows', () => {
  it.each(kinds)('equal those of the same frames, prepared and evaluated: $name', async (kind) => {
    const folder = await mkdtemp(join(root, 'kind-'))
    const checkpoint = join(folder, 'model.pth')
    await writeModel(kind, checkpoint)
    const output = join(folder, 'scores.json')
    // Three windows in a batch, so that the last batch is not full.
    await predict({ model: checkpoint, input: video, output, batchSize: 1, overrides: overridesOf(kind) })
    const scores = await read(output)
    const span = scores.window
    expect(scores.windows.map(({ first_frame: first, last_frame: last }) => [first, last])).toEqual(
      Array.from({ length: frameCount - span + 1 }, (_, start) => [start, start + span - 1]),
    )

    await cutOut(scores.windows, join(folder, 'windows'))
    const report = await infer(
      specOf(kind, {
        inference: {
          checkpoint,
          inference_dataset_dir: join(folder, 'windows'),
          results_dir: join(folder, 'results'),
          batch_size: 1,
        },
      }),
    )
    expect(report.videos).toHaveLength(scores.windows.length)
    report.videos.forEach((prepared, i) => {
      for (const name of classNames) {
        const score = scores.windows[i]?.scores[name] ?? NaN
        expect(Math.abs(score - (prepared.scores[name] ?? NaN)), `window ${i}`).toBeLessThan(1e-5)
      }
    })
  })

  // Measured: they differ by up to 4e-4 for an untrained network, also in batches of one; the cause is not found yet.
  it.todo('equal those of the same frames, prepared and evaluated: joint 3D')

  it('of every n-th window are those of stride 1, whatever frames are left out between them', async () => {
    for (const kind of [kinds[1], kinds[4]]) {
      if (kind === undefined) throw new Error('no kind')
      const folder = await mkdtemp(join(root, 'stride-'))
      const model = join(folder, 'model.pth')
      await writeModel(kind, model)
      const all = { model, input: video, overrides: overridesOf(kind) }
      await predict({ ...all, output: join(folder, 'every.json') })
      await predict({ ...all, output: join(folder, 'fourth.json'), stride: 4, batchSize: 2 })
      const every = await read(join(folder, 'every.json'))
      const fourth = await read(join(folder, 'fourth.json'))
      const wanted = every.windows.filter(({ first_frame: first }) => first % 4 === 0)
      expect(fourth.windows.map(({ first_frame: first }) => first)).toEqual(
        wanted.map(({ first_frame: first }) => first),
      )
      fourth.windows.forEach(({ scores }, i) => {
        for (const name of classNames) expect(scores[name]).toBeCloseTo(wanted[i]?.scores[name] ?? NaN, 5)
      })
    }
  })

  it('are the same from the exported model, which knows its classes and preprocessing', async () => {
    const [kind] = kinds
    if (kind === undefined) throw new Error('no kind')
    const checkpoint = join(root, 'exported.pth')
    await writeModel(kind, checkpoint)
    const center = { val_center_crop: true, crop_smaller_edge: 40 }
    const { onnxFile } = await exportModel(
      specOf(
        { ...kind, augmentation: center },
        { export: { checkpoint, results_dir: join(root, 'export') } },
      ),
    )
    const lines: string[] = []
    const hooks = { onLine: (line: string) => lines.push(line) }
    await predict({ model: onnxFile, input: video, output: join(root, 'onnx.json') }, hooks)
    expect(lines).toEqual([])
    const overrides = overridesOf({ ...kind, augmentation: center })
    await predict({ model: checkpoint, input: video, output: join(root, 'pth.json'), overrides })
    const [fromOnnx, fromCheckpoint] = [
      await read(join(root, 'onnx.json')),
      await read(join(root, 'pth.json')),
    ]
    expect(fromOnnx.classes).toEqual(classNames)
    expect(fromOnnx.windows).toHaveLength(frameCount - 2)
    fromOnnx.windows.forEach(({ scores }, i) => {
      for (const name of classNames) {
        expect(scores[name]).toBeCloseTo(fromCheckpoint.windows[i]?.scores[name] ?? NaN, 5)
      }
    })
  })
})

describe('a model of TAO, which says little of itself', () => {
  let model: string
  beforeAll(async () => {
    const checkpoint = join(root, 'bare.pth')
    const kind = { name: '', model: { model_type: 'rgb', rgb_seq_length: 3 } }
    await writeModel(kind, checkpoint)
    const { onnxFile } = await exportModel(
      specOf(kind, {
        export: { checkpoint, onnx_file: join(root, 'bare.onnx'), results_dir: join(root, 'bare') },
      }),
    )
    model = join(root, 'tao.onnx')
    await writeFile(model, encodeModel({ ...decodeModel(await readFile(onnxFile)), metadata: {} }))
  })

  it('gets its classes from a file of labels', async () => {
    await writeFile(join(root, 'labels.txt'), `${classNames.join('\n')}\n`)
    const lines: string[] = []
    const report = await predict(
      { model, input: video, labelsFile: join(root, 'labels.txt') },
      { onLine: (line) => lines.push(line) },
    )
    expect(report.classNames).toEqual(classNames)
    expect(report.videos[0]?.windows).toBe(frameCount - 2)
    expect(lines.join()).toContain('does not say how its frames were made')
  })

  it('is refused without labels, or with another number of them', async () => {
    await expect(predict({ model, input: video })).rejects.toThrow('does not name its classes')
    await writeFile(join(root, 'four.txt'), 'a;b;c;d\n')
    await expect(predict({ model, input: video, labelsFile: join(root, 'four.txt') })).rejects.toThrow(
      'gives scores for 3 classes, 4 have names',
    )
  })

  it('is refused when settings contradict its inputs', async () => {
    await writeFile(join(root, 'labels.txt'), `${classNames.join(';')}\n`)
    const labelsFile = join(root, 'labels.txt')
    await expect(
      predict({ model, input: video, labelsFile, overrides: ['model.model_type=of'] }),
    ).rejects.toThrow('takes no input_of')
    await expect(
      predict({ model, input: video, labelsFile, overrides: ['model.rgb_seq_length=4'] }),
    ).rejects.toThrow('the settings give [batch, 12, 32, 32]')
  })

  it('that is no model at all is refused', async () => {
    await writeFile(join(root, 'text.onnx'), 'Hello')
    await expect(predict({ model: join(root, 'text.onnx'), input: video })).rejects.toThrow(
      'neither a checkpoint nor an ONNX model',
    )
    await expect(predict({ model: join(root, 'none.pth'), input: video })).rejects.toThrow(KineoError)
  })
})

describe('videos', () => {
  let model: string
  beforeAll(async () => {
    model = join(root, 'videos.pth')
    await writeModel({ name: '', model: { model_type: 'rgb', rgb_seq_length: 6 } }, model)
  })

  it('that are shorter than a window are looped, and that is said', async () => {
    const short = join(root, 'short.mp4')
    await makeVideo(short, { frames: 4, width: 72, height: 48 })
    const report = await predict({ model, input: short, output: join(root, 'short.json') })
    expect(report.videos[0]).toMatchObject({ frames: 4, windows: 1, looped: true })
    const scores = await read(join(root, 'short.json'))
    expect(scores.looped).toContain('shorter than a window')
    expect(scores.windows.map(({ first_frame: first, last_frame: last }) => [first, last])).toEqual([[0, 3]])
    const kind = { name: '', model: { model_type: 'rgb', rgb_seq_length: 6 } }
    const looped = await infer(
      specOf(kind, {
        inference: { checkpoint: model, inference_dataset_dir: short, results_dir: join(root, 'looped') },
      }),
    )
    for (const name of classNames) {
      expect(scores.windows[0]?.scores[name]).toBeCloseTo(looped.videos[0]?.scores[name] ?? NaN, 5)
    }
  })

  it('that cannot be read are named, and the others of the folder are scored', async () => {
    const folder = join(root, 'mixed')
    await makeVideo(join(folder, 'a/good.mp4'), { frames: 8 })
    await makeVideo(join(folder, 'z.mp4'), { frames: 7 })
    await makeSound(join(folder, 'b/sound.mp4'))
    await writeFile(join(folder, 'broken.mp4'), 'no video')
    await writeFile(join(folder, 'empty.mp4'), '')
    await writeFile(join(folder, 'notes.txt'), 'no video either')
    const output = join(root, 'mixed-scores')
    const report = await predict({ model, input: folder, output })
    expect(report.videos.map(({ path, windows }) => [path, windows])).toEqual([
      [join(folder, 'a/good.mp4'), 3],
      [join(folder, 'z.mp4'), 2],
    ])
    expect(report.failed.map(({ path }) => path)).toEqual(
      ['b/sound.mp4', 'broken.mp4', 'empty.mp4'].map((name) => join(folder, name)),
    )
    const written = (await readdir(output, { recursive: true })).sort()
    expect(written.filter((name) => name.includes('.'))).toEqual([join('a', 'good.mp4.json'), 'z.mp4.json'])
  })

  it('that break off give the windows before the break', async () => {
    const cut = join(root, 'cut.avi')
    await makeVideo(cut, { frames: 40, options: ['-g', '1'] })
    const bytes = await readFile(cut)
    await truncate(cut, Math.round(bytes.length * 0.6))
    const report = await predict({ model, input: cut, output: join(root, 'cut.json') })
    const [scored] = report.videos
    expect(scored?.frames).toBeGreaterThan(6)
    expect(scored?.frames).toBeLessThan(40)
    expect((await read(join(root, 'cut.json'))).windows).toHaveLength((scored?.frames ?? 0) - 5)
  })

  it('leave nothing behind when they are stopped in the middle', async () => {
    const long = join(root, 'stopped/long.mp4')
    await makeVideo(long, { frames: 300 })
    const stop = new AbortController()
    const output = join(root, 'stopped/scores.json')
    const work = predict(
      { model, input: long, output },
      { signal: stop.signal, onProgress: ({ done }) => done > 20 && stop.abort() },
    )
    await expect(work).rejects.toMatchObject({ code: 'cancelled' })
    expect(await readdir(join(root, 'stopped'))).toEqual(['long.mp4'])
  })

  it('whose scores are there already are not scored over them, but with force', async () => {
    const output = join(root, 'kept.json')
    await writeFile(output, 'kept')
    await expect(predict({ model, input: video, output })).rejects.toMatchObject({ code: 'output' })
    expect(await readFile(output, 'utf8')).toBe('kept')
    await predict({ model, input: video, output, force: true })
    expect((await read(output)).windows).toHaveLength(frameCount - 5)
  })

  it('are told as stretches of the leading class that cover every frame once', async () => {
    const { videos } = await predict({ model, input: video })
    const [scored] = videos
    let next = 0
    for (const { firstFrame, lastFrame } of scored?.stretches ?? []) {
      expect(firstFrame).toBe(next)
      next = lastFrame + 1
    }
    expect(next).toBe(frameCount)
    expect(Object.values(scored?.leadingFrames ?? {}).reduce((sum, frames) => sum + frames, 0)).toBe(
      frameCount,
    )
  })
})
