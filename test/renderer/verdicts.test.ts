import { describe, expect, it } from 'vitest'
import type { EpochPoint, Evaluation, ProjectState, Run } from '../../src-main/api/contract/index.ts'
import { datasetVerdict, libraryVerdict } from '../../src-renderer/verdicts/data-verdict.ts'
import { wilsonInterval } from '../../src-renderer/verdicts/interval.ts'
import { reviewVerdict, rightCount, worstConfusion } from '../../src-renderer/verdicts/review-verdict.ts'
import { bestPoint, runVerdict } from '../../src-renderer/verdicts/run-verdict.ts'
import { videosOfCell, wrongVideos } from '../../src-renderer/views/review/selection.ts'

const clips = 30

function points(
  valRight: readonly (number | null)[],
  trainLoss = (epoch: number) => 2 / epoch,
): EpochPoint[] {
  return valRight.map((right, index) => ({
    epoch: index + 1,
    trainLoss: trainLoss(index + 1),
    trainAccuracy: Math.min(1, 0.3 + index * 0.1),
    valLoss: right === null ? null : 1,
    valAccuracy: right === null ? null : right / clips,
    learningRate: 0.01,
    clipsPerSecond: 30,
  }))
}

function run(status: Run['status'], epochPoints: EpochPoint[]): Run {
  return {
    id: 1,
    name: 'Run 1',
    status,
    settings: {
      modelType: 'of',
      inputType: '2d',
      backbone: 'resnet_18',
      rgbFrames: 8,
      ofFrames: 10,
      height: 112,
      width: 112,
      epochs: 25,
      batchSize: 16,
      learningRate: 0.01,
      horizontalFlip: false,
      sampleStrategy: 'random_interval',
      pretrained: false,
      seed: 1,
    },
    classNames: ['left', 'right', 'up', 'down', 'circle', 'star'],
    valClipCount: clips,
    points: epochPoints,
    live: null,
    folder: '/runs/1',
    message: null,
    evaluated: false,
    canEvaluate: false,
    exportedFile: null,
    createdAt: '2026-11-23T20:00:00Z',
  }
}

describe('the verdict on a run', () => {
  it('does not judge before three epochs', () => {
    expect(runVerdict(run('training', [])).title).toBe('Getting started')
    expect(runVerdict(run('training', points([8, 9]))).title).toBe('Too early to tell')
  })

  it('calls a rise of validation learning, with the counts', () => {
    const verdict = runVerdict(run('training', points([6, 9, 14, 18, 22])))
    expect(verdict).toMatchObject({ tone: 'ok', title: 'Learning well' })
    expect(verdict.body).toContain('from 6 to 22 of 30')
  })

  it('says where the best was when the last epochs are worse', () => {
    const verdict = runVerdict(run('training', points([6, 20, 28, 25, 24])))
    expect(verdict.title).toBe('Learning, with ups and downs')
    expect(verdict.body).toContain('28 of 30 in epoch 3, now 24')
  })

  it('tells learning by heart from standing still', () => {
    const still = [10, 12, 12, 11, 12, 12, 11, 12]
    expect(runVerdict(run('training', points(still))).title).toBe('Learning by heart')
    const good = points([10, 29, 29, 29, 29, 29, 29, 29])
    expect(runVerdict(run('training', good)).title).toBe('Settled')
  })

  it('warns when nothing is learned and when the loss is no number', () => {
    const flat = points([5, 5, 5, 5, 5, 5], () => 1.8).map((point) => ({ ...point, trainAccuracy: 0.18 }))
    expect(runVerdict(run('training', flat))).toMatchObject({ tone: 'warn', title: 'Not learning yet' })
    const broken = points([5, 5, 5], (epoch) => (epoch === 3 ? Number.NaN : 2))
    expect(runVerdict(run('training', broken))).toMatchObject({ tone: 'bad', title: 'The run fell apart' })
  })

  it('says of a finished run how many were right at its end, not at its best', () => {
    expect(runVerdict(run('done', points([20, 28, 26]))).body).toContain('26 of 30')
    expect(runVerdict(run('done', points([5, 6, 6]))).tone).toBe('warn')
    expect(runVerdict(run('done', points([null, null]))).body).toContain('no validation clips')
  })

  it('gives the reason of a failure', () => {
    expect(runVerdict({ ...run('failed', []), message: 'The disk is full' })).toMatchObject({
      tone: 'bad',
      body: 'The disk is full',
    })
  })

  it('takes the first of several best epochs', () => {
    expect(bestPoint(points([10, 20, 20]))?.epoch).toBe(2)
    expect(bestPoint(points([null, null]))).toBeNull()
  })
})

function project(
  counts: readonly (readonly [number, number])[],
  more: Partial<ProjectState> = {},
): ProjectState {
  const clipCount = counts.reduce((sum, [train, val]) => sum + train + val, 0)
  return {
    name: 'Test',
    folder: '/p',
    sourceFolder: '/s',
    kind: 'videos',
    classes: counts.map(([trainClips, valClips], index) => ({
      index,
      name: `class ${index}`,
      clips: trainClips + valClips,
      trainClips,
      valClips,
    })),
    clipCount,
    brokenClipCount: 0,
    unreadClipCount: 0,
    preparedClipCount: clipCount,
    hasFlow: true,
    hasRgb: true,
    datasetBytes: 1,
    ...more,
  }
}

it('says of a stopped run how far it came, and that this can be looked at', () => {
  const stopped = run('stopped', points([6, 9, 14]))
  expect(runVerdict(stopped).body).toContain('3 of 25 epochs done and kept. What it has learned by then can')
  expect(runVerdict({ ...stopped, evaluated: true }).body).toContain('See what it has learned by then')
  expect(runVerdict(run('stopped', [])).body).toContain('No epoch was finished')
})

describe('the verdict on the data', () => {
  it.each([
    [
      'ready',
      project([
        [10, 3],
        [12, 3],
      ]),
      0,
      'Good to train.',
    ],
    [
      'unprepared clips',
      project([
        [10, 3],
        [12, 3],
      ]),
      28,
      '28 clips wait to be prepared.',
    ],
    [
      'an empty class',
      project([
        [10, 3],
        [0, 3],
      ]),
      0,
      'No training clips for class 1.',
    ],
    [
      'uneven classes',
      project([
        [10, 3],
        [30, 3],
      ]),
      0,
      'Good to train, but uneven.',
    ],
    [
      'no validation',
      project([
        [10, 0],
        [12, 0],
      ]),
      0,
      'No clips to check with.',
    ],
    ['one class', project([[10, 3]]), 0, 'One class is not enough.'],
    [
      'few clips',
      project([
        [3, 1],
        [4, 1],
      ]),
      0,
      'Good to train. Small data.',
    ],
  ] as const)('of a dataset with %s', (_name, state, missing, title) => {
    expect(datasetVerdict(state, missing).title).toBe(title)
  })

  it('does not call clips readable in Library before they were read', () => {
    const verdict = libraryVerdict(
      project(
        [
          [10, 3],
          [12, 3],
        ],
        { unreadClipCount: 8 },
      ),
    )
    expect(verdict).toMatchObject({ tone: 'info', title: 'Looking at the clips.' })
    expect(verdict.body).toContain('20 of 28 clips read')
  })

  it('counts what cannot be used in Library', () => {
    expect(
      libraryVerdict(
        project(
          [
            [10, 3],
            [12, 3],
          ],
          { brokenClipCount: 2 },
        ),
      ),
    ).toMatchObject({
      tone: 'warn',
      title: '2 clips of 28 cannot be used.',
    })
  })
})

const evaluation: Evaluation = {
  runId: 1,
  epochs: 25,
  accuracy: 0.5,
  meanClassAccuracy: 0.5,
  classNames: ['left', 'right'],
  confusion: [
    [1, 2],
    [0, 1],
  ],
  videos: [
    ['a', 'left', 'right', 0.7],
    ['b', 'left', 'right', 0.9],
    ['c', 'left', 'left', 0.8],
    ['d', 'right', 'right', 0.6],
  ].map(([name, label, prediction, score]) => ({
    clipId: null,
    name: String(name),
    label: String(label),
    prediction: String(prediction),
    scores: prediction === 'left' ? [Number(score), 1 - Number(score)] : [1 - Number(score), Number(score)],
    mediaUrl: null,
    thumbnailUrl: null,
  })),
}

describe('the verdict on a result', () => {
  it('names the most frequent mistake and how far luck may reach', () => {
    expect(worstConfusion(evaluation.confusion)).toEqual({ truth: 0, prediction: 1, count: 2 })
    const verdict = reviewVerdict(evaluation, 'of')
    expect(verdict.body).toContain('left taken for right, 2 times')
    expect(verdict.body).toContain('between 15 and 85 %')
    expect(rightCount(evaluation)).toBe(2)
  })

  it('has the interval of Wilson: 27 of 31 lies between 71 and 95 %', () => {
    const { low, high } = wilsonInterval(27, 31)
    expect([low, high].map((value) => Math.round(value * 100))).toEqual([71, 95])
    expect(wilsonInterval(0, 0)).toEqual({ low: 0, high: 1 })
  })

  it('lists wrong clips by how sure the model was, and those of one cell', () => {
    expect(wrongVideos(evaluation).map((video) => video.name)).toEqual(['b', 'a'])
    expect(videosOfCell(evaluation, { truth: 0, prediction: 0 }).map((video) => video.name)).toEqual(['c'])
    expect(videosOfCell(evaluation, { truth: 1, prediction: 0 })).toEqual([])
  })
})
