import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { JobQueue, type StartWorker } from '../../src-main/jobs/index.ts'
import { Throttle } from '../../src-main/jobs/throttle.ts'
import { Project } from '../../src-main/project/index.ts'

let home: string
let project: Project

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'kineo-jobs-'))
  project = Project.create(join(home, 'p'), {
    name: 'p',
    kind: 'videos',
    sourceFolder: '/videos',
    isSample: false,
  })
})

afterEach(() => {
  project.close()
  rmSync(home, { recursive: true, force: true })
})

/** A real process that takes the lock and then does what the test wants with `project`. */
function workerThat(does: string): StartWorker & { started: number } {
  const index = JSON.stringify(resolve('src-main/project/index.ts'))
  const script = `
    import { Project, WorkerLock } from ${index}
    const lock = WorkerLock.tryAcquire(process.argv[1])
    if (lock === null) process.exit(0)
    const project = Project.open(process.argv[1])
    const take = () => project.jobs.takeNext(process.pid)
    ${does}`
  const start = Object.assign(
    (folder: string) => {
      start.started += 1
      const child = spawn(process.execPath, ['--input-type=module', '-e', script, folder], {
        stdio: 'ignore',
        detached: true,
      })
      return {
        pid: child.pid ?? 0,
        onExit: (listener: (end: { code: number | null; signal: string | null }) => void) => {
          child.once('exit', (code, signal) => listener({ code, signal }))
        },
      }
    },
    { started: 0 },
  )
  return start
}

const doesAll = `for (let job = take(); job !== null; job = take()) project.jobs.end(job.id, 'done', null)
  process.exit(0)`

function statuses(): string[] {
  return project.jobs.all().map((job) => job.status)
}

const eventually = { timeout: 15_000, interval: 50 }

describe('the table of jobs', () => {
  it('hands out waiting jobs in order and one that waits for another only when that one is done', () => {
    const first = project.jobs.add({ kind: 'prepare', title: 'Prepare 3 clips' })
    const second = project.jobs.add({ kind: 'train', title: 'Train Run 1', afterJobId: first })
    const third = project.jobs.add({ kind: 'evaluate', title: 'Check Run 1', afterJobId: second })
    const other = project.jobs.add({ kind: 'prepare', title: 'Prepare 1 clip' })

    expect(project.jobs.takeNext(7)).toMatchObject({ id: first, status: 'running', workerPid: 7 })
    project.jobs.end(first, 'failed', 'broken')
    expect(project.jobs.takeNext(7)?.id).toBe(other)
    expect(project.jobs.takeNext(7)).toBeNull()
    expect(statuses()).toEqual(['failed', 'cancelled', 'cancelled', 'running'])
    expect(project.jobs.get(second)?.message).toBe('Not started, because "Prepare 3 clips" was not finished')
    expect(project.jobs.get(third)?.message).toContain('Train Run 1')
  })

  it('hands out a job that was let go of, though the one before it was stopped', () => {
    const training = project.jobs.add({ kind: 'train', title: 'Train Run 1' })
    const check = project.jobs.add({ kind: 'evaluate', title: 'Check Run 1', afterJobId: training })
    project.jobs.takeNext(7)
    project.jobs.release(training)
    project.jobs.end(training, 'cancelled', null)
    expect(project.jobs.takeNext(7)?.id).toBe(check)
    expect(statuses()).toEqual(['cancelled', 'running'])
  })

  it('ends a waiting job at a cancel and only marks a running one', () => {
    const running = project.jobs.add({ kind: 'prepare', title: 'a' })
    const waiting = project.jobs.add({ kind: 'prepare', title: 'b' })
    project.jobs.takeNext(7)
    for (const id of [running, waiting]) project.jobs.requestCancel(id)
    expect(statuses()).toEqual(['running', 'cancelled'])
    expect(project.jobs.isCancelRequested(running)).toBe(true)
    project.jobs.end(running, 'done', null)
    project.jobs.end(running, 'failed', 'too late')
    expect(project.jobs.get(running)).toMatchObject({ status: 'done', message: null })
  })

  it('keeps what a job reported for whoever looks next', () => {
    const id = project.jobs.add({ kind: 'train', title: 'a', options: { flow: 'dis' } })
    project.jobs.takeNext(7)
    const progress = { done: 3, total: 9, unit: 'steps', remainingSeconds: 4, note: 'clip' }
    const live = {
      epoch: 1,
      step: 3,
      stepsPerEpoch: 9,
      loss: 1.5,
      clipsPerSecond: 20,
      remainingSeconds: null,
    }
    project.jobs.setProgress(id, progress)
    project.jobs.setLive(id, live)
    const again = Project.open(project.folder)
    expect(again.jobs.get(id)).toMatchObject({ progress, live, options: { flow: 'dis' } })
    again.jobs.end(id, 'interrupted', 'gone')
    expect(project.jobs.get(id)).toMatchObject({ progress, live: null, status: 'interrupted' })
    again.close()
  })
})

describe('the queue', () => {
  it('starts a worker for new jobs, which works them off in order', async () => {
    const startWorker = workerThat(doesAll)
    const queue = new JobQueue(project, { startWorker, onChange: () => {} })
    const ids = queue.add([
      { kind: 'train', title: 'a' },
      { kind: 'evaluate', title: 'b' },
    ])
    expect(project.jobs.get(ids[1]!)?.afterJobId).toBe(ids[0])
    await vi.waitFor(() => expect(statuses()).toEqual(['done', 'done']), eventually)
    queue.close()
    expect(startWorker.started).toBe(1)
  })

  it('fails the job whose worker died, with words, and goes on with the next', async () => {
    const startWorker = workerThat(`if (project.jobs.all()[0].status === 'queued') {
      take()
      process.kill(process.pid, 'SIGKILL')
      await new Promise(() => {})
    }
    ${doesAll}`)
    const queue = new JobQueue(project, { startWorker, onChange: () => {} })
    queue.add([{ kind: 'prepare', title: 'a' }])
    queue.add([{ kind: 'prepare', title: 'b' }])
    await vi.waitFor(() => expect(statuses()).toEqual(['failed', 'done']), eventually)
    queue.close()
    expect(project.jobs.all()[0]?.message).toContain('ended unexpectedly (by SIGKILL)')
    expect(project.jobs.all()[0]?.message).toContain('out of memory')
  })

  it('gives up on a job whose worker cannot even start, instead of trying for ever', async () => {
    const startWorker = workerThat('process.exit(3)')
    const queue = new JobQueue(project, { startWorker, onChange: () => {} })
    queue.add([{ kind: 'prepare', title: 'a' }])
    await vi.waitFor(() => expect(statuses()).toEqual(['failed']), eventually)
    queue.close()
    expect(project.jobs.all()[0]?.message).toContain('with code 3')
    expect(startWorker.started).toBe(1)
  })

  it('kills a worker that does not stop when it was asked to', async () => {
    const startWorker = workerThat('take(); setInterval(() => {}, 1000)')
    const queue = new JobQueue(project, { startWorker, onChange: () => {}, cancelPatience: 200 })
    const [id = 0] = queue.add([{ kind: 'train', title: 'a' }])
    await vi.waitFor(() => expect(statuses()).toEqual(['running']), eventually)
    queue.cancel(id)
    await vi.waitFor(() => expect(statuses()).toEqual(['cancelled']), eventually)
    queue.close()
  })

  it('marks what a dead worker of an earlier host left behind, and starts what still waits', async () => {
    project.jobs.add({ kind: 'train', title: 'a' })
    project.jobs.takeNext(1)
    project.jobs.add({ kind: 'prepare', title: 'b' })
    const queue = new JobQueue(project, { startWorker: workerThat(doesAll), onChange: () => {} })
    expect(statuses()[0]).toBe('interrupted')
    await vi.waitFor(() => expect(statuses()).toEqual(['interrupted', 'done']), eventually)
    queue.close()
  })

  it('leaves a worker that another host has started alone', async () => {
    const startWorker = workerThat('take(); setInterval(() => {}, 1000)')
    const first = new JobQueue(project, { startWorker, onChange: () => {} })
    first.add([{ kind: 'train', title: 'a' }])
    await vi.waitFor(() => expect(statuses()).toEqual(['running']), eventually)
    first.close()

    const second = new JobQueue(project, { startWorker, onChange: () => {}, cancelPatience: 50 })
    expect(statuses()).toEqual(['running'])
    second.cancel(project.jobs.all()[0]!.id)
    await vi.waitFor(() => expect(statuses()).toEqual(['cancelled']), eventually)
    second.close()
    expect(startWorker.started).toBe(1)
  })
})

describe('a throttle', () => {
  it('passes the first value at once, then only the newest', () => {
    const passed: number[] = []
    const throttle = new Throttle<number>(10_000, (value) => passed.push(value))
    for (const value of [1, 2, 3]) throttle.put(value)
    expect(passed).toEqual([1])
    throttle.flush()
    throttle.flush()
    expect(passed).toEqual([1, 3])
  })
})
