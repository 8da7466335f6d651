/**
 * Run by npm after an install: compiles the optical flow (AssemblyScript) to resources/flow/dis.wasm, which is not in
 * git. Does nothing when the module is newer than its sources.
 */
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const sources = join(root, 'src-main', 'flow', 'assembly')
const target = join(root, 'resources', 'flow', 'dis.wasm')

if (await isUpToDate()) process.exit(0)
await compile()

async function isUpToDate() {
  const built = await stat(target).catch(() => undefined)
  if (!built) return false
  const files = [fileURLToPath(import.meta.url)]
  for (const name of await readdir(sources)) files.push(join(sources, name))
  const times = await Promise.all(files.map(async (file) => (await stat(file)).mtimeMs))
  return Math.max(...times) < built.mtimeMs
}

async function compile() {
  // Not there in an install without development packages, which has no need for it: packages carry the module.
  const compiler = await import('assemblyscript/asc').catch(() => undefined)
  if (!compiler) {
    console.warn('AssemblyScript is not installed: resources/flow/dis.wasm was not compiled')
    return
  }
  await mkdir(dirname(target), { recursive: true })
  const partial = `${target}.${process.pid}.partial`
  const { error, stderr } = await compiler.main([
    join(sources, 'dis.ts'),
    ...['--outFile', partial, '-O3', '--noAssert', '--runtime', 'stub', '--enable', 'simd'],
    // No imports, and no warning that SIMD values cannot be handed to JavaScript: none is.
    ...['--use', 'abort=', '--disableWarning', '112'],
  ])
  if (error) {
    await rm(partial, { force: true })
    console.error(`Cannot compile the optical flow:\n${stderr.toString()}`)
    process.exit(1)
  }
  await rename(partial, target)
}
