import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { writeFileAtomic } from '../../src-main/core/atomic-file.ts'
import { outputError } from '../../src-main/core/system-error.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kineo-atomic-'))
  return () => rm(folder, { recursive: true, force: true })
})

describe('writing a file', () => {
  it('replaces the old one and leaves nothing else', async () => {
    const path = join(folder, 'new/file')
    await writeFileAtomic(path, 'old')
    await writeFileAtomic(path, [Buffer.from('n'), Buffer.from('ew')])
    expect(await readFile(path, 'utf8')).toBe('new')
    expect(await readdir(join(folder, 'new'))).toEqual(['file'])
  })

  it('says where it cannot be, instead of breaking off with a stack trace', async () => {
    await writeFile(join(folder, 'file'), '')
    const within = join(folder, 'file/within')
    await expect(writeFileAtomic(within, '')).rejects.toMatchObject({ code: 'output', where: within })
    await expect(writeFileAtomic(folder, '')).rejects.toMatchObject({ code: 'output', where: folder })
    expect(await readdir(folder)).toEqual(['file'])
  })
})

describe('an error of the operating system', () => {
  it.each([
    ['ENOSPC: no space left on device, write', 'The disk is full'],
    ["EACCES: permission denied, open '/x'", 'It may not be written (permission denied)'],
    ["EROFS: read-only file system, mkdir '/x'", 'It may not be written (read-only file system)'],
  ])('%s is told in words', (message, words) => {
    expect(outputError(new Error(message), '/x')).toMatchObject({
      code: 'output',
      message: words,
      where: '/x',
    })
  })

  it('of another kind stays what it is', () => {
    const bug = new TypeError('x is not a function')
    expect(outputError(bug, '/x')).toBe(bug)
  })
})
