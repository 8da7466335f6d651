import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { AppEvent, Run, SpecChanges } from '../../src-main/api/contract/index.ts'
import { decodeModel } from '../../src-main/engine/onnx/model.ts'
import { EventLog, renderVideos, TestHost, type Api } from './harness.ts'

// A loaded machine takes its time to start a worker.
vi.setConfig({ testTimeout: 150_000 })

/** The smallest training that is still the real one. */
const tiny: SpecChanges = {
  'model.model_type': 'rgb',
  'model.rgb_seq_length': '2',
  'model.of_seq_length': '2',
  'model.input_height': '32',
  'model.input_width': '32',
  'dataset.batch_size': '4',
  'dataset.augmentation_config.horizontal_flip_prob': '0',
  'train.num_epochs': '1',
  'train.seed': '1',
  'train.optim.lr': '0.01',
}

const host = new TestHost()
let api: Api
let events: EventLog

beforeAll(async () => {
  const videos = join(host.folder, 'videos')
  await renderVideos(videos, { left: [-3, 0], right: [3, 0] }, 5)
  writeFileSync(join(videos, 'left', 'broken.mp4'), 'this is no video')
  await host.open()
  api = await host.connect()
  await api.project.open({ folder: videos })
  events = new EventLog(api)
})

afterAll(() => host.dispose())

/** The newest state of a run that satisfies the condition, told by an event. */
function untilRun(runId: number, condition: (run: Run) => boolean): Promise<Run> {
  return events.until(
    (event: AppEvent) => event.type === 'run' && event.run.id === runId && condition(event.run) && event.run,
  )
}

describe('the way from videos to a model', () => {
  it('prepares clips in a worker, one after the other, and lists what was left out', async () => {
    const { jobId } = await api.dataset.prepare({ flow: 'none' })
    const job = await events.untilJobEnded(jobId)
    expect(job).toMatchObject({ kind: 'prepare', title: 'Prepare 11 clips', status: 'done', runId: null })
    expect(job.message).toContain('1 file was left out: left/broken.mp4 (')
    expect(job.progress).toMatchObject({ done: 11, total: 11, unit: 'clips' })

    const state = await api.project.state()
    expect(state).toMatchObject({ preparedClipCount: 10, brokenClipCount: 1, hasRgb: true, hasFlow: false })
    const clip = (await api.project.clips()).find(({ name }) => name === 'right_1')
    expect(clip).toMatchObject({ prepared: true, frameCount: 12, problem: null })
    await expect(api.files.reveal({ path: state!.folder })).resolves.toMatchObject({ opened: false })
  })

  it('trains and evaluates a run, makes the flow that it lacks before, and tells every epoch', async () => {
    expect(await api.training.plan({ changes: {} })).toMatchObject({
      blockedBy: null,
      settings: { modelType: 'of' },
    })
    const { runId } = await api.training.start({ changes: { ...tiny, 'model.model_type': 'of' } })
    expect((await api.runs.list()).find(({ id }) => id === runId)).toMatchObject({
      status: 'queued',
      points: [],
    })
    const run = await untilRun(runId, ({ evaluated }) => evaluated)
    const clips = await api.project.clips()
    const valClipCount = clips.filter(({ split, problem }) => split === 'val' && problem === null).length
    expect(run).toMatchObject({ status: 'done', live: null, message: null, valClipCount })
    expect(run.points).toHaveLength(1)
    expect(run.points[0]).toMatchObject({ epoch: 1, learningRate: 0.01 })
    expect(run.points[0]!.trainLoss).toBeGreaterThan(0)
    expect(run.points[0]!.valAccuracy).not.toBeNull()
    expect((await api.jobs.list()).map(({ kind, status }) => `${kind} ${status}`)).toEqual([
      'prepare done',
      'prepare done',
      'train done',
      'evaluate done',
    ])

    const evaluation = await api.runs.evaluation({ runId })
    expect(evaluation!.classNames).toEqual(['left', 'right'])
    expect(evaluation!.confusion.flat().reduce((sum, count) => sum + count, 0)).toBe(valClipCount)
    const right = evaluation!.videos.filter(({ label, prediction }) => label === prediction).length
    expect(evaluation!.accuracy).toBeCloseTo(right / valClipCount)
    for (const video of evaluation!.videos) {
      expect(video.scores.reduce((sum, score) => sum + score, 0)).toBeCloseTo(1, 4)
      expect((await host.get(video.mediaUrl!, { range: 'bytes=0-9' })).status).toBe(206)
    }
    expect((await api.training.plan({ changes: {} })).estimatedSeconds).toBeGreaterThan(0)
    await expect(api.training.resume({ runId })).rejects.toMatchObject({
      message: 'Run 1 is finished already',
    })
  })

  it('exports the run as a folder with model and labels, again, too', async () => {
    expect(await api.runs.exported({ runId: 1 })).toBeNull()
    for (let time = 0; time < 2; time++) {
      const { jobId } = await api.runs.export({ runId: 1 })
      expect(await events.untilJobEnded(jobId)).toMatchObject({ status: 'done', message: null })
    }
    const exported = await api.runs.exported({ runId: 1 })
    const names = exported!.files.map(({ name }) => name)
    expect(names).toEqual(expect.arrayContaining(['label_map.json', 'labels.txt', 'model.onnx']))
    expect(exported!.files.find(({ name }) => name === 'model.onnx')!.bytes).toBeGreaterThan(1e6)
    expect(JSON.parse(readFileSync(join(exported!.folder, 'label_map.json'), 'utf8'))).toEqual({
      left: 0,
      right: 1,
    })
    const run = await untilRun(1, ({ exportedFile }) => exportedFile !== null)
    expect(run.exportedFile).toBe(join(exported!.folder, 'model.onnx'))
  })

  it('refuses what cannot be, in words', async () => {
    await expect(api.runs.export({ runId: 7 })).rejects.toMatchObject({ message: 'There is no run 7' })
    await expect(
      api.training.start({ changes: { ...tiny, 'model.input_height': '8' } }),
    ).rejects.toMatchObject({
      message: expect.stringMatching(/^model.input_height: must be a whole number of \d+ or more, not 8$/),
      data: { code: 'spec' },
    })
    await expect(api.runs.evaluate({ runId: 1 })).rejects.toMatchObject({
      message: 'Run 1 has nothing to check now',
    })
    expect(await api.runs.evaluation({ runId: 7 })).toBeNull()
  })
})

describe('the settings of a run', () => {
  it('are the recipe with the changes, told key by key in the words of the schema', async () => {
    const { keys, sections } = await api.training.spec()
    const lr = keys.find(({ key }) => key === 'train.optim.lr')
    expect(lr).toMatchObject({ section: 'train.optim', rule: 'above 0', lockedBy: null })
    expect(lr!.meaning).not.toBe('')
    for (const { section } of keys) expect(sections.map((each) => each.section)).toContain(section)
    expect(keys.find(({ key }) => key === 'results_dir')?.lockedBy).toContain('project')

    const plan = await api.training.plan({
      changes: { 'train.optim.lr': '0.02', 'model.model_type': 'joint', 'train.num_epochs': '5' },
    })
    expect(plan).toMatchObject({
      problems: [],
      settings: { modelType: 'joint', learningRate: 0.02, rgbFrames: 3, ofFrames: 10, epochs: 5 },
      recipe: {
        'model.model_type': 'of',
        'train.optim.warmup_epochs': '1',
        'dataset.augmentation_config.train_crop_type': 'no_crop',
      },
    })
    expect(plan.recipe['train.num_epochs']).not.toBe('5')
    expect(plan.yaml).toContain('model_type: joint')
    const { advice } = await api.training.plan({ changes: { 'train.optim.lr_steps': '[3]' } })
    expect(advice).toEqual([
      { key: 'train.optim.lr_steps', message: 'has no effect with train.optim.lr_scheduler Cosine' },
    ])
    for (const { key, lockedBy } of keys) expect(key in plan.recipe, key).toBe(lockedBy === null)
  })

  it('are refused one by one, and the others stay as they are', async () => {
    const changes = {
      'train.optim.lr': '-1',
      'train.num_epochs': 'many',
      'dataset.label_map': '{left: 0}',
      'train.optimum': '3',
      'train.optim.lr_steps': '[1, 2',
    }
    const { problems, yaml } = await api.training.plan({ changes })
    const messages = Object.fromEntries(problems.map(({ key, message }) => [key, message]))
    expect(messages).toMatchObject({
      'train.optim.lr': 'must be above 0, not -1',
      'train.num_epochs': expect.stringContaining('not many'),
      'dataset.label_map': expect.stringContaining('project'),
      'train.optimum': 'is not a key of the spec',
      'train.optim.lr_steps': expect.stringContaining('not valid YAML'),
    })
    expect(yaml).toBeNull()
  })

  it('make runs on pictures and motion, which are checked and exported with both inputs', async () => {
    const { runId } = await api.training.start({ changes: { ...tiny, 'model.model_type': 'joint' } })
    const run = await untilRun(runId, ({ evaluated, status }) => evaluated || status === 'failed')
    expect(run).toMatchObject({ message: null, settings: { modelType: 'joint' } })
    expect((await api.runs.evaluation({ runId }))!.videos).toHaveLength(run.valClipCount)
    const { jobId } = await api.runs.export({ runId })
    expect(await events.untilJobEnded(jobId)).toMatchObject({ status: 'done', message: null })
    const { exportedFile } = await untilRun(runId, (each) => each.exportedFile !== null)
    expect(decodeModel(readFileSync(exportedFile!)).inputs).toMatchObject([
      { name: 'input_rgb', shape: ['batch', 6, 32, 32] },
      { name: 'input_of', shape: ['batch', 4, 32, 32] },
    ])
  })

  it('stand in the run as they were set, in its experiment.yaml, too', async () => {
    const changes = { ...tiny, 'train.optim.weight_decay': '0.0007', 'train.clip_grad_norm': '5' }
    const { runId } = await api.training.start({ changes })
    const run = await untilRun(runId, ({ evaluated }) => evaluated)
    const yaml = readFileSync(join(run.folder, 'train', 'experiment.yaml'), 'utf8')
    expect(yaml).toMatch(/weight_decay: 0.0007/)
    expect(yaml).toMatch(/clip_grad_norm: 5/)
    expect(run.settings).toMatchObject({ modelType: 'rgb', rgbFrames: 2, height: 32, batchSize: 4 })
  })
})

describe('a running job', () => {
  it('outlives its host, is found again by the next one, stops at a cancel, and goes on where it stopped', async () => {
    const { runId } = await api.training.start({ changes: { ...tiny, 'train.num_epochs': '500' } })
    await untilRun(runId, ({ points, live }) => points.length >= 1 && live !== null)
    await host.kill()

    await host.open()
    api = await host.connect()
    events = new EventLog(api)
    const folder = join(host.home, 'videos')
    await api.project.open({ folder })
    const found = (await api.runs.list()).find(({ id }) => id === runId)!
    expect(found.status).toBe('training')
    const later = await untilRun(runId, ({ points }) => points.length > found.points.length)
    expect(later.status).toBe('training')

    const job = (await api.jobs.list()).find(({ status }) => status === 'running')!
    await api.jobs.cancel({ jobId: job.id })
    expect(await events.untilJobEnded(job.id)).toMatchObject({ status: 'cancelled', kind: 'train' })
    const stopped = await untilRun(runId, ({ status }) => status === 'stopped')
    expect(existsSync(join(stopped.folder, 'train', 'ar_model_latest.pth'))).toBe(true)
    const checked = await untilRun(runId, ({ evaluated }) => evaluated)
    const evaluation = await api.runs.evaluation({ runId })
    expect(evaluation).toMatchObject({ epochs: checked.points.length })
    expect(evaluation!.videos.length).toBe(checked.valClipCount)

    await api.training.resume({ runId })
    const resumed = await untilRun(
      runId,
      ({ status, points }) => status === 'training' && points.length > stopped.points.length,
    )
    expect(resumed.points.map(({ epoch }) => epoch)).toEqual(resumed.points.map((_, index) => index + 1))
    const running = (await api.jobs.list()).find(({ status }) => status === 'running')!
    await api.jobs.cancel({ jobId: running.id })
    await events.untilJobEnded(running.id)
  })
})
