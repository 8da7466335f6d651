import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { arch, availableParallelism, cpus, freemem, platform, release, totalmem } from 'node:os'
import { KineoError } from '../../core/errors.ts'
import { version } from '../../core/version.ts'
import { EvaluationSession, initialState, type NetworkConfig } from '../../engine/index.ts'
import { mediaTools } from '../../media/index.ts'
import type { Command } from '../command.ts'

/** One thing that Kineo needs: what is there, or what is wrong and what to do. */
interface Finding {
  name: string
  ok: boolean
  text: string
}

export const doctorCommand: Command = {
  name: 'doctor',
  help: `Usage: kineo doctor [--json]

Reports what this machine offers to Kineo: Node, ffmpeg, ONNX Runtime (by running a small network), processors and
memory. Exit code 1 when something that Kineo needs does not work.
`,
  async run(args, { terminal }) {
    if (args.length > 0) throw new KineoError('usage', `It takes nothing but --json, not ${args.join(' ')}`)
    const findings: Finding[] = [
      { name: 'Kineo', ok: true, text: version },
      { name: 'System', ok: true, text: `${platform()} ${release()} (${arch()})` },
      { name: 'Node', ok: true, text: `${process.versions.node} (${process.execPath})` },
      await checked('ffmpeg', describeFfmpeg),
      await checked('ONNX', describeRuntime),
      {
        name: 'Processor',
        ok: true,
        text: `${availableParallelism()} threads, ${cpus()[0]?.model.trim() ?? 'unknown'}`,
      },
      { name: 'Memory', ok: true, text: `${gigabytes(freemem())} of ${gigabytes(totalmem())} free` },
    ]
    for (const { name, ok, text } of findings)
      terminal.line(`${ok ? 'ok ' : 'NO '} ${name.padEnd(10)} ${text}`)
    terminal.event('result', { findings })
    return findings.every(({ ok }) => ok) ? 0 : 1
  },
}

async function checked(name: string, describe: () => Promise<string>): Promise<Finding> {
  try {
    return { name, ok: true, text: await describe() }
  } catch (error) {
    const text =
      error instanceof KineoError ? error.describe() : error instanceof Error ? error.message : String(error)
    return { name, ok: false, text }
  }
}

async function describeFfmpeg(): Promise<string> {
  const tools = await mediaTools()
  return `${tools.version} (${tools.ffmpeg})`
}

/** Opens and runs a small network: a library that is there but does not load, or computes nonsense, shows. */
async function describeRuntime(): Promise<string> {
  const manifest = createRequire(import.meta.url).resolve('onnxruntime-node/package.json')
  const { version: runtimeVersion } = JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }
  const network: NetworkConfig = {
    modelType: 'rgb',
    backbone: 'resnet_18',
    inputType: '2d',
    rgbSequenceLength: 1,
    ofSequenceLength: 1,
    height: 32,
    width: 32,
    classCount: 2,
    dropoutRatio: 0,
    fusionFeatures: 64,
  }
  const session = await EvaluationSession.create({ network, parameters: initialState(network, 1).parameters })
  try {
    const logits = await session.logits({ rgb: new Float32Array(3 * 32 * 32).fill(0.5) }, 1)
    if (logits.length !== 2 || !logits.every(Number.isFinite))
      throw new Error('the trial network gave no numbers')
  } finally {
    await session.dispose()
  }
  return `Runtime ${runtimeVersion}, works on the CPU (this version trains there)`
}

function gigabytes(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(1)} GiB`
}
