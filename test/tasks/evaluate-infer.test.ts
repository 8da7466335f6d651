import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { parseSpec, type Spec } from '../../src-main/spec/index.ts'
import { evaluate, type EvaluationReport, infer, inferenceLine } from '../../src-main/tasks/index.ts'
import { preprocess } from '../../src-main/tasks/preprocess.ts'
import { makeVideo } from '../media/make-video.ts'
import { writeRandomCheckpoint } from './random-checkpoint.ts'
import { writeTinyDataset } from './tiny-dataset.ts'

vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 })

const classNames = ['dark', 'light', 'none']
let root: string
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'kineo-evaluate-'))
  await writeTinyDataset(join(root, 'test'), { videos: { dark: 3, light: 2 }, frames: 9 })
  // One video is shorter, so that clips of whole videos differ in length.
  await rm(join(root, 'test/light/video_1/rgb/000008.png'))
  await writeRandomCheckpoint(join(root, 'rgb.pth'), {}, classNames)
})
afterAll(async () => {
  await rm(root, { recursive: true })
})

function spec(over: { model?: object; evaluate?: object; inference?: object }, checkpoint = 'rgb.pth'): Spec {
  return parseSpec({
    model: { rgb_seq_length: 2, of_seq_length: 3, input_height: 32, input_width: 32, ...over.model },
    dataset: { val_dataset_dir: join(root, 'test'), workers: 1 },
    evaluate: { checkpoint: join(root, checkpoint), results_dir: join(root, 'evaluate'), ...over.evaluate },
    inference: {
      checkpoint: join(root, checkpoint),
      inference_dataset_dir: join(root, 'test'),
      results_dir: join(root, 'inference'),
      ...over.inference,
    },
  })
}

function scoresOf(report: { videos: { scores: Record<string, number> }[] }): number[][] {
  return report.videos.map(({ scores }) => classNames.map((name) => scores[name] ?? NaN))
}

/** Batches of other sizes add up in another order. */
function expectClose(actual: number[][], expected: number[][]): void {
  expect(actual).toHaveLength(expected.length)
  actual.forEach((row, i) => row.forEach((value, k) => expect(value).toBeCloseTo(expected[i]?.[k] ?? NaN, 5)))
}

async function rowsOf(name: string): Promise<string[][]> {
  const text = await readFile(join(root, 'evaluate', name), 'utf8')
  return text
    .trimEnd()
    .split('\n')
    .map((row) => row.split(','))
}

describe('evaluation', () => {
  it('averages the softmax of the segments of each video, whatever batches they come in', async () => {
    const conv = { video_eval_mode: 'conv', video_num_segments: 4 }
    const one = await evaluate(spec({ evaluate: { ...conv, batch_size: 1 } }))
    const many = await evaluate(spec({ evaluate: { ...conv, batch_size: 7 } }))
    expectClose(scoresOf(many), scoresOf(one))

    const inference = { video_inf_mode: 'conv', video_num_segments: 4, batch_size: 3 }
    const inferred = await infer(spec({ inference }))
    expect(inferred.videos.map(({ path }) => path)).toEqual(one.videos.map(({ path }) => path))
    const means = inferred.videos.map(({ segments }) =>
      classNames.map((name) => segments.reduce((sum, { scores }) => sum + (scores[name] ?? 0) / 4, 0)),
    )
    expectClose(means, scoresOf(one))
    const center = await evaluate(spec({}))
    expect(scoresOf(center)).not.toEqual(scoresOf(one))
  })

  it('looks at every window of a video in mode all', async () => {
    const report = await infer(spec({ inference: { video_inf_mode: 'all', batch_size: 4 } }))
    expect(report.videos[0]?.segments.map(({ frames }) => frames.rgb)).toEqual([
      [0, 1],
      [2, 3],
      [4, 5],
      [6, 7],
    ])
    const small = await infer(spec({ inference: { video_inf_mode: 'all', batch_size: 1 } }))
    expectClose(scoresOf(small), scoresOf(report))
  })

  it('gives a 3D network whole videos of any length in mode all', async () => {
    await writeRandomCheckpoint(join(root, '3d.pth'), { inputType: '3d' }, classNames)
    const all = (batch_size: number): Spec =>
      spec({ model: { input_type: '3d' }, inference: { video_inf_mode: 'all', batch_size } }, '3d.pth')
    const report = await infer(all(2))
    expect(report.videos.map(({ segments }) => segments.map(({ frames }) => frames.rgb?.length))).toEqual([
      [9],
      [9],
      [9],
      [9],
      [8],
    ])
    expectClose(scoresOf(await infer(all(1))), scoresOf(report))
  })

  it('reads both streams of a joint network', async () => {
    await writeRandomCheckpoint(join(root, 'joint.pth'), { modelType: 'joint' }, classNames)
    const joint = (batch_size: number): Spec =>
      spec({ model: { model_type: 'joint' }, evaluate: { batch_size } }, 'joint.pth')
    const report = await evaluate(joint(2))
    expect(report.videos).toHaveLength(5)
    expectClose(scoresOf(await evaluate(joint(1))), scoresOf(report))
  })

  describe('writes', () => {
    let report: EvaluationReport
    beforeAll(async () => {
      report = await evaluate(spec({ evaluate: { top_k: 2 } }))
    })

    it('every figure of every class into results.json', async () => {
      const results = JSON.parse(await readFile(join(root, 'evaluate/results.json'), 'utf8')) as Record<
        string,
        unknown
      >
      expect(results).toMatchObject({
        accuracy: report.accuracy,
        mean_class_accuracy: report.meanClassAccuracy,
        mean_over_label_map: report.meanOverLabelMap,
        top_k: { k: 2, accuracy: report.topK.accuracy },
        mode: 'center',
        confusion_matrix: report.confusion,
      })
      const none = report.classes[2]
      expect(none).toMatchObject({ name: 'none', count: 0, support: 0, accuracy: null, recall: null })
      expect(results['classes']).toEqual(report.classes)
      expect(results['videos']).toEqual(report.videos)
    })

    it('the mistakes into misclassified.csv, the surest first', async () => {
      const [header, ...rows] = await rowsOf('misclassified.csv')
      expect(header).toEqual(['path', 'label', 'prediction', 'prediction_score', 'label_score'])
      const wrong = report.videos.filter(({ label, prediction }) => label !== prediction)
      expect(wrong.length).toBeGreaterThan(0)
      expect(rows.map(([path]) => path).sort()).toEqual(wrong.map(({ path }) => path).sort())
      const sure = rows.map(([, , , score]) => Number(score))
      expect(sure).toEqual([...sure].sort((a, b) => b - a))
    })

    it('the confusion matrix as a table and as a picture', async () => {
      expect(await rowsOf('confusion_matrix.csv')).toEqual([
        ['class', ...classNames],
        ...report.confusion.map((row, k) => [classNames[k] ?? '', ...row.map(String)]),
      ])
      const picture = await readFile(join(root, 'evaluate/confusion_matrix.png'))
      expect(picture.subarray(1, 4).toString('latin1')).toBe('PNG')
    })
  })

  it('names the missing test folder, and an image that cannot be read before anything is computed', async () => {
    const nowhere = spec({ evaluate: { test_dataset_dir: join(root, 'nowhere') } })
    await expect(evaluate(nowhere)).rejects.toMatchObject({ code: 'input', where: join(root, 'nowhere') })
    await writeTinyDataset(join(root, 'broken'), { videos: { dark: 1 } })
    const file = join(root, 'broken/dark/video_0/rgb/000000.png')
    await writeFile(file, 'no image')
    const broken = spec({ evaluate: { test_dataset_dir: join(root, 'broken') } })
    await expect(evaluate(broken)).rejects.toMatchObject({
      code: 'input',
      where: expect.stringContaining(file),
    })
  })
})

describe('inference', () => {
  it('takes a class-level folder and prints a label for each segment', async () => {
    const inference = {
      inference_dataset_dir: join(root, 'test/dark'),
      video_inf_mode: 'conv',
      video_num_segments: 2,
    }
    const report = await infer(spec({ inference }))
    expect(report.videos).toHaveLength(3)
    const [first] = report.videos
    expect(inferenceLine(first!)).toBe(
      `${join(root, 'test/dark/video_0')} : ['${first!.labels[0]}', '${first!.labels[1]}']`,
    )
    const scores = JSON.parse(await readFile(join(root, 'inference/scores.json'), 'utf8')) as {
      videos: unknown
    }
    expect(scores.videos).toEqual(report.videos)
  })

  it('refuses an empty folder, a video’s own folder and a file that is no video', async () => {
    await mkdir(join(root, 'empty'), { recursive: true })
    await writeFile(join(root, 'notes.txt'), 'no video')
    for (const [folder, message] of [
      ['empty', 'There are no videos'],
      ['test/dark/video_0', 'inference.inference_dataset_dir is one video itself'],
      ['notes.txt', 'inference.inference_dataset_dir is neither a folder nor a video'],
      ['nowhere', 'inference.inference_dataset_dir is missing'],
    ] as const) {
      const wrong = spec({ inference: { inference_dataset_dir: join(root, folder) } })
      await expect(infer(wrong)).rejects.toMatchObject({ code: 'input', message, where: join(root, folder) })
    }
  })

  describe('of plain video files', () => {
    beforeAll(async () => {
      await makeVideo(join(root, 'videos/b/wave.mp4'), { frames: 9, seed: 1 })
      await makeVideo(join(root, 'videos/a/clap.mp4'), { frames: 7, seed: 2 })
      await preprocess({
        input: join(root, 'videos'),
        output: join(root, 'prepared'),
        flow: 'dis',
        preset: 'medium',
        seed: 1,
        workers: 1,
      })
    })

    const conv = (folder: string): object => ({
      inference_dataset_dir: join(root, folder),
      video_inf_mode: 'conv',
      video_num_segments: 3,
      batch_size: 2,
    })

    it('sees the very frames that preparing them gives', async () => {
      const plain = await infer(spec({ inference: conv('videos') }))
      const prepared = await infer(spec({ inference: conv('prepared') }))
      expect(plain.videos.map(({ path }) => path)).toEqual([
        join(root, 'videos/a/clap.mp4'),
        join(root, 'videos/b/wave.mp4'),
      ])
      expect(plain.videos.map(({ segments }) => segments)).toEqual(
        prepared.videos.map(({ segments }) => segments),
      )
      const [single] = (await infer(spec({ inference: conv('videos/b/wave.mp4') }))).videos
      expect(single).toEqual(plain.videos[1])
    })

    it('computes the optical flow between them, which differs from the prepared one by JPEG only', async () => {
      await writeRandomCheckpoint(join(root, 'joint.pth'), { modelType: 'joint' }, classNames)
      const model = { model_type: 'joint' }
      const plain = await infer(spec({ model, inference: conv('videos') }, 'joint.pth'))
      const prepared = await infer(spec({ model, inference: conv('prepared') }, 'joint.pth'))
      plain.videos.forEach(({ segments }, i) =>
        segments.forEach((segment, k) => {
          const other = prepared.videos[i]?.segments[k]
          expect(segment.frames).toEqual(other?.frames)
          for (const name of classNames) {
            expect(Math.abs((segment.scores[name] ?? NaN) - (other?.scores[name] ?? NaN))).toBeLessThan(0.05)
          }
        }),
      )
    })

    it('leaves out a file that is no video, tells why, and names the others', async () => {
      await writeFile(join(root, 'videos/a/broken.mp4'), 'no video')
      const lines: string[] = []
      const report = await infer(spec({ inference: conv('videos/a') }), {
        onLine: (line) => lines.push(line),
      })
      expect(report.videos.map(({ path }) => path)).toEqual([join(root, 'videos/a/clap.mp4')])
      expect(report.failed.map(({ path }) => path)).toEqual([join(root, 'videos/a/broken.mp4')])
      expect(lines.join('\n')).toContain('broken.mp4')
      await rm(join(root, 'videos/a/clap.mp4'))
      await expect(infer(spec({ inference: conv('videos/a') }))).rejects.toMatchObject({
        code: 'input',
        message: 'None of the videos can be read',
      })
      expect(existsSync(join(root, 'inference/status.json'))).toBe(true)
    })
  })
})
