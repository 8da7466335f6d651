import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeEach, expect, it, vi } from 'vitest'
import { parse } from 'yaml'
import { importCommand } from '../../src-main/cli/commands/import.ts'
import { createTerminal } from '../../src-main/cli/terminal.ts'
import { exitCodeOf } from '../../src-main/core/errors.ts'
import { makeVideo } from '../media/make-video.ts'
import { filesIn, writeTree } from './import-trees.ts'

// Each test starts processes of its own; a loaded machine takes its time.
vi.setConfig({ testTimeout: 240_000 })

const launcher = fileURLToPath(new URL('../../src-main/cli/kineo.mjs', import.meta.url))

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kineo import '))
  return () => rm(folder, { recursive: true, force: true })
})

/** Runs `kineo` in the test's folder. */
async function kineo(...args: string[]): Promise<{ code: number | null; output: string; errors: string }> {
  const child = spawn(process.execPath, [launcher, ...args], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let [output, errors] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text))
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', resolve)
  })
  return { code, output, errors }
}

it('kineo import makes of HMDB51 what kineo preprocess reads, and says what to type', async () => {
  for (const [seed, name] of ['wave', 'draw_sword'].entries()) {
    for (const n of [1, 2, 3]) {
      const path = join(folder, `hmdb51/${name}/Film_${name}_f_cm_np1_fr_goo_${n}.avi`)
      await makeVideo(path, { seed: seed * 3 + n, frames: 4, options: ['-f', 'avi'] })
    }
    const line = (n: number, flag: number): string => `Film_${name}_f_cm_np1_fr_goo_${n}.avi ${flag} \n`
    await writeTree(folder, {
      [`hmdb51/lists/${name}_test_split1.txt`]: line(1, 1) + line(2, 1) + line(3, 2) + line(9, 1),
    })
  }
  const imported = await kineo('import', 'hmdb51', 'hmdb51', '--out', 'my videos')
  expect(imported).toMatchObject({ code: 0, errors: expect.stringContaining('2 listed videos not there') })
  expect(imported.output).toContain('train:  4 videos of 2 classes\ntest:   2 videos of 2 classes\n')
  expect(imported.output).toContain("kineo preprocess 'my videos' --out 'my videos-frames'\n")
  const spec: unknown = parse(imported.output.slice(imported.output.indexOf('  dataset:')))
  expect(spec).toEqual({
    dataset: {
      train_dataset_dir: join('my videos-frames', 'train'),
      val_dataset_dir: join('my videos-frames', 'val'),
      label_map: { draw_sword: 0, wave: 1 },
    },
  })

  const prepared = await kineo('preprocess', 'my videos', '--out', 'my videos-frames', '--flow', 'none')
  expect(prepared).toMatchObject({ code: 0, errors: '' })
  const clips = (await filesIn(join(folder, 'my videos-frames'))).filter((path) =>
    path.endsWith('000003.png'),
  )
  expect(clips).toEqual(
    ['draw_sword', 'wave']
      .flatMap((name) => [1, 2].map((n) => `train/${name}/Film_${name}_f_cm_np1_fr_goo_${n}/rgb/000003.png`))
      .concat(
        ['draw_sword', 'wave'].map((name) => `val/${name}/Film_${name}_f_cm_np1_fr_goo_3/rgb/000003.png`),
      ),
  )
})

it('kineo import exits with 0 when all is well, 1 when a video cannot be imported, 2 when used wrongly', async () => {
  await writeTree(folder, { 'in/wave/a.mp4': 'a', 'in/clap/b.mp4': 'b', 'in/clap/empty.mp4': '' })
  const dry = await kineo('import', 'folder', 'in', '--out', 'out', '--dry-run')
  expect(dry).toMatchObject({ code: 0, output: expect.stringContaining('Nothing was written') })
  const bad = await kineo('import', 'folder', 'in', '--out', 'out', '--json')
  expect(bad).toMatchObject({ code: 1, errors: expect.stringContaining('empty.mp4: The file is empty') })
  const last: unknown = JSON.parse(bad.output.trim().split('\n').at(-1)!)
  expect(last).toMatchObject({ type: 'result', linked: 2, failed: [{ place: 'clap/empty.mp4' }] })

  expect(await kineo('import', 'hmdb', 'in')).toMatchObject({ code: 2, output: '' })
})

it.each([
  ['', 'KIND is missing'],
  ['hmdb in --out x', 'The kinds are hmdb51'],
  ['folder --out x', 'SRC is missing'],
  ['folder in', '--out is missing'],
  ['folder in other --out x', 'One source at a time'],
  ['folder in --out x --link --copy', 'exclude each other'],
  ['folder in --out x --limit few', '--limit must be a number'],
  ['folder in --out x --move', "Unknown option '--move'"],
])('kineo import %s is wrong usage', async (words, message) => {
  const args = words.split(' ').filter((word) => word !== '')
  const context = { terminal: createTerminal(false), signal: new AbortController().signal }
  const error: unknown = await importCommand.run(args, context).catch((thrown: unknown) => thrown)
  expect(error).toMatchObject({ message: expect.stringContaining(message) })
  expect(exitCodeOf(error)).toBe(2)
})
