/**
 * Makes frames and optical flow from the gesture clips with Kineo and with OpenCV in one process, one after the other:
 *
 *   npm run bench:preprocess -- [--data ../shared/data/gestures] [--rounds 1] [--workers 2]
 *
 * Both write every frame as PNG and the DIS flow (medium) as gray JPEG of quality 95. Kineo runs as `kineo preprocess`,
 * start-up included; OpenCV runs with its own threads, its start-up not counted. The last line is one JSON object;
 * `ratio` is the peer's time / ours, of the medians over the rounds.
 */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { z } from 'zod'

const python = '/usr/bin/python3'
const launcher = fileURLToPath(new URL('../src-main/cli/kineo.mjs', import.meta.url))
const peerScript = fileURLToPath(new URL('peers/preprocess_opencv.py', import.meta.url))

const ourResult = z.object({
  type: z.literal('result'),
  written: z.number(),
  failed: z.number(),
  frames: z.number(),
})
const peerResult = z.object({
  clips: z.number(),
  frames: z.number(),
  seconds: z.number(),
  threads: z.number(),
})

interface Measured {
  clips: number
  frames: number
  seconds: number
  /** Of the dataset on disk. */
  megabytes: number
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      data: { type: 'string', default: '../shared/data/gestures' },
      rounds: { type: 'string', default: '1' },
      workers: { type: 'string', default: '2' },
    },
  })
  const data = resolve(values.data)
  if (!existsSync(data)) {
    console.error(
      `The clips are missing: ${data}. Name a folder of class-named folders of videos with --data`,
    )
    process.exitCode = 1
    return
  }
  const folder = await mkdtemp(join(tmpdir(), 'kineo-bench-'))
  try {
    const ours: Measured[] = []
    const peers: Measured[] = []
    for (let round = 0; round < Number(values.rounds); round++) {
      ours.push(await runOurs(data, join(folder, `ours-${round}`), values.workers))
      console.log(`Kineo : ${inWords(ours.at(-1))}`)
      const peer = await runPeer(data, join(folder, `peer-${round}`))
      if (peer) peers.push(peer)
      console.log(`OpenCV: ${inWords(peer)}`)
    }
    const our = median(ours)
    const peer = median(peers)
    const ratio = our && peer ? round(peer.seconds / our.seconds) : null
    console.log(JSON.stringify({ bench: 'preprocess', ours: our, peer: peer ?? null, ratio }))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function runOurs(data: string, output: string, workers: string): Promise<Measured> {
  const started = performance.now()
  const words = [launcher, 'preprocess', data, '--out', output, '--workers', workers, '--json']
  const result = ourResult.parse(await lastLine(process.execPath, words))
  const seconds = round((performance.now() - started) / 1000)
  if (result.failed > 0) throw new Error(`${result.failed} clips failed`)
  const { written: clips, frames } = result
  return { clips, frames, seconds, megabytes: await megabytes(output) }
}

/** Null when the machine has no Python with OpenCV. */
async function runPeer(data: string, output: string): Promise<Measured | null> {
  try {
    await lastLine(python, ['-c', 'import cv2; print("{}")'])
  } catch {
    console.log(`${python} has no cv2 (Debian: python3-opencv): nothing to compare with`)
    return null
  }
  const { clips, frames, seconds } = peerResult.parse(await lastLine(python, [peerScript, data, output]))
  return { clips, frames, seconds: round(seconds), megabytes: await megabytes(output) }
}

/** Runs a program and parses the last line that it prints. */
function lastLine(program: string, words: string[]): Promise<unknown> {
  return new Promise((resolveLine, reject) => {
    const child = spawn(program, words, { stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    let errors = ''
    child.stdout
      .setEncoding('utf8')
      .on('data', (text: string) => (output = (output + text).slice(-4_000_000)))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text))
    child.on('error', reject)
    child.on('close', (code) => {
      if (code === 0) resolveLine(JSON.parse(output.trim().split('\n').at(-1) ?? ''))
      else reject(new Error(`${program} ended with ${code}: ${errors.slice(-2000)}`))
    })
  })
}

async function megabytes(folder: string): Promise<number> {
  let bytes = 0
  for (const name of await readdir(folder, { recursive: true }))
    bytes += (await stat(join(folder, name))).size
  return round(bytes / 1e6)
}

function median(runs: readonly Measured[]): Measured | undefined {
  return [...runs].sort((a, b) => a.seconds - b.seconds)[Math.floor(runs.length / 2)]
}

function inWords(run: Measured | null | undefined): string {
  if (!run) return 'not measured'
  const rate = (run.frames / run.seconds).toFixed(0)
  return `${run.clips} clips, ${run.frames} frames in ${run.seconds} s (${rate} frames/s), ${run.megabytes} MB`
}

function round(value: number): number {
  return Math.round(value * 100) / 100
}

await main()
