import { appendFileSync, readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { CancelledError, KineoError } from '../../src-main/core/errors.ts'
import { loadSpec, parseSpec } from '../../src-main/spec/index.ts'
import { formatTimedelta, StatusLog, withStatusLog } from '../../src-main/tasks/status-log.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kineo-status-'))
})
afterEach(async () => {
  await rm(folder, { recursive: true })
})

function lines(path: string): Record<string, unknown>[] {
  return readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
}

it('writes dates and times without padding and repeats the last kpi', () => {
  const status = new StatusLog(folder, () => new Date(2026, 0, 5, 7, 8, 9))
  status.write('STARTED', 'Starting Training Loop.')
  status.writeKpi('Eval metrics generated.', { val_acc: 0.5 })
  status.write('RUNNING', 'Training loop in progress', { epoch: 1, max_epoch: 3 })
  expect(readFileSync(status.path, 'utf8')).toBe(
    [
      '{"date":"1/5/2026","time":"7:8:9","status":"STARTED","verbosity":"INFO","message":"Starting Training Loop."}',
      '{"date":"1/5/2026","time":"7:8:9","status":"RUNNING","verbosity":"INFO","message":"Eval metrics generated.","kpi":{"val_acc":0.5}}',
      '{"epoch":1,"max_epoch":3,"date":"1/5/2026","time":"7:8:9","status":"RUNNING","verbosity":"INFO","message":"Training loop in progress","kpi":{"val_acc":0.5}}',
      '',
    ].join('\n'),
  )
})

it('appends to what is there, also behind a line that a crash cut off', () => {
  new StatusLog(folder).write('STARTED', 'first')
  appendFileSync(join(folder, 'status.json'), '{"date": "1/')
  new StatusLog(folder).write('STARTED', 'second')
  const text = readFileSync(join(folder, 'status.json'), 'utf8').split('\n')
  expect(text[1]).toBe('{"date": "1/')
  expect(JSON.parse(text[2] ?? '')).toMatchObject({ message: 'second' })
})

it.each([
  [0, '0:00:00'],
  [62.5, '0:01:02.500000'],
  [8.990863, '0:00:08.990863'],
  [3600 * 25, '1 day, 1:00:00'],
  [86_400 * 2 + 0.000001, '2 days, 0:00:00.000001'],
])('formats %d s as Python’s timedelta', (seconds, text) => {
  expect(formatTimedelta(seconds)).toBe(text)
})

it('frames a task and keeps its resolved spec', async () => {
  const spec = parseSpec({ results_dir: folder, train: { seed: 7 } })
  expect(await withStatusLog(spec, 'evaluate', (results) => Promise.resolve(results))).toBe(
    join(folder, 'evaluate'),
  )
  expect(
    lines(join(folder, 'evaluate', 'status.json')).map((line) => [line['status'], line['message']]),
  ).toEqual([
    ['STARTED', 'Starting Action Recognition evaluate.'],
    ['RUNNING', 'Evaluate finished successfully.'],
  ])
  expect(await loadSpec(join(folder, 'evaluate', 'experiment.yaml'))).toEqual(spec)
})

it.each([
  [new KineoError('input', 'Cannot read it', { where: 'a.png' }), 'Cannot read it: a.png'],
  [new CancelledError(), 'Train was interrupted'],
])('tells of a failure: %s', async (error, message) => {
  const spec = parseSpec({ train: { results_dir: folder } })
  await expect(withStatusLog(spec, 'train', () => Promise.reject(error))).rejects.toBe(error)
  expect(lines(join(folder, 'status.json')).at(-1)).toMatchObject({ status: 'FAILURE', message })
})

it('says which key moves results that cannot be written', async () => {
  await writeFile(join(folder, 'file'), '')
  const spec = parseSpec({ results_dir: join(folder, 'file') })
  const failed = withStatusLog(spec, 'train', () => Promise.resolve())
  await expect(failed).rejects.toMatchObject({
    code: 'output',
    remedy: expect.stringContaining('train.results_dir='),
  })
})
