import { execFile } from 'node:child_process'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

const script = `
import { GraphBuilder } from '${new URL('../../src-main/engine/onnx/graph-builder.ts', import.meta.url).href}'
import { float32Tensor, openSession } from '${new URL('../../src-main/engine/runtime/session.ts', import.meta.url).href}'
const graph = new GraphBuilder('quiet')
graph.output(graph.node('Relu', [graph.input('x', [2])]), 'y')
const session = await openSession(graph.build(), 1)
const { y } = await session.run({ x: float32Tensor(Float32Array.of(1, -1), [2]) })
console.log(y.data.join())
await session.release()
`

it('ONNX Runtime leaves no telemetry files behind', { timeout: 120_000 }, async () => {
  const home = await mkdtemp(join(tmpdir(), 'kineo-home-'))
  const environment: NodeJS.ProcessEnv = { ...process.env, HOME: home, TMPDIR: home, XDG_CACHE_HOME: home }
  delete environment['ORT_DISABLE_TELEMETRY']
  const run = promisify(execFile)
  const { stdout } = await run(
    process.execPath,
    ['--experimental-strip-types', '--input-type=module', '-e', script],
    {
      env: environment,
    },
  )
  expect(stdout.trim()).toBe('1,0')
  expect(await readdir(home)).toEqual([])
  await rm(home, { recursive: true })
})
