import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { withResultsLock } from '../../src-main/tasks/training/results-lock.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kineo-lock-'))
})
afterAll(async () => {
  await rm(folder, { recursive: true })
})

it('one training at a time writes into a folder; the next may when it is done', async () => {
  await withResultsLock(folder, undefined, async () => {
    await expect(withResultsLock(folder, undefined, () => Promise.resolve())).rejects.toMatchObject({
      code: 'output',
      message: 'Another training is writing into the results folder',
      where: folder,
    })
  })
  await expect(withResultsLock(folder, undefined, () => Promise.resolve('done'))).resolves.toBe('done')
})

it('a failed training does not block the next', async () => {
  await expect(
    withResultsLock(folder, undefined, () => Promise.reject(new Error('diverged'))),
  ).rejects.toThrow('diverged')
  await expect(withResultsLock(folder, undefined, () => Promise.resolve('done'))).resolves.toBe('done')
})

it('another process blocks while it lives, and not when it was killed', async () => {
  const module = JSON.stringify(resolve('src-main/tasks/training/results-lock.ts'))
  const child = spawn(process.execPath, [
    '--input-type=module',
    '-e',
    `import { withResultsLock } from ${module}
     await withResultsLock(process.argv[1], undefined, () => new Promise((resolve) => {
       console.log('locked')
       setTimeout(resolve, 600_000)
     }))`,
    folder,
  ])
  try {
    await once(child.stdout, 'data')
    await expect(withResultsLock(folder, undefined, () => Promise.resolve())).rejects.toMatchObject({
      code: 'output',
    })
  } finally {
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
  }
  await expect(withResultsLock(folder, undefined, () => Promise.resolve('done'))).resolves.toBe('done')
})
