import { posix } from 'node:path'
import type { Rule } from 'eslint'

/**
 * The import rule of docs/ARCHITECTURE.md: rooms import downwards only, and each heavy package has one owner.
 * A room is a folder of src-main; `renderer` stands for src-renderer.
 */
export const roomsBelow: Readonly<Record<string, readonly string[]>> = {
  core: [],
  engine: ['core'],
  spec: ['core'],
  flow: ['core'],
  media: ['core'],
  project: ['core'],
  dataset: ['core'],
  tasks: ['engine', 'spec', 'flow', 'media', 'dataset', 'core'],
  jobs: ['tasks', 'project', 'spec', 'media', 'dataset', 'engine', 'core'],
  api: ['jobs', 'tasks', 'project', 'spec', 'media', 'dataset', 'engine', 'core'],
  server: ['api', 'jobs', 'tasks', 'core'],
  desktop: ['api', 'jobs', 'tasks', 'core'],
  cli: ['server', 'api', 'jobs', 'tasks', 'spec', 'media', 'dataset', 'engine', 'core'],
}

/** Folders, seen from src-main, that alone may import a package. */
export const packageOwners: Readonly<Record<string, readonly string[]>> = {
  electron: ['desktop'],
  'onnxruntime-node': ['engine/runtime'],
  'better-sqlite3': ['project', 'core'],
  'fluent-ffmpeg': ['media'],
  '@ffmpeg-installer/ffmpeg': ['media'],
  '@ffprobe-installer/ffprobe': ['media'],
  sharp: ['media', 'dataset'],
  protobufjs: ['engine/onnx'],
  hono: ['server'],
  '@hono/node-server': ['server'],
  ws: ['server'],
  'node:child_process': ['media', 'jobs', 'server', 'cli', 'desktop'],
}

/** The only place of the main side that the renderer may name, and for its types only. */
const contractFile = 'src-main/api/contract/index.ts'

function packageName(source: string): string {
  if (source.startsWith('node:')) return source
  const parts = source.split('/')
  return source.startsWith('@') ? parts.slice(0, 2).join('/') : (parts[0] ?? source)
}

/** Why `importer` may not import `source`, or null when it may. Paths are relative to the repository, with `/`. */
export function forbiddenImport(importer: string, source: string, typeOnly: boolean): string | null {
  const isLocal = source.startsWith('.')
  const target = isLocal ? posix.normalize(posix.join(posix.dirname(importer), source)) : null

  if (importer.startsWith('src-renderer/')) {
    if (target === null || target.startsWith('src-renderer/')) return null
    if (target === contractFile && typeOnly) return null
    return `The renderer may import only types, and only from ${contractFile}, not ${target}.`
  }
  if (!importer.startsWith('src-main/')) return null

  const path = importer.slice('src-main/'.length)
  if (target === null) {
    const owners = packageOwners[packageName(source)]
    if (owners === undefined || owners.some((owner) => path.startsWith(`${owner}/`))) return null
    return `${packageName(source)} belongs to ${owners.join(', ')}.`
  }
  if (target.startsWith('src-renderer/')) return 'The main side may not import the renderer.'
  if (!target.startsWith('src-main/')) return null
  const room = path.split('/')[0] ?? ''
  const targetRoom = target.split('/')[1] ?? ''
  if (room === targetRoom) return null
  const below = roomsBelow[room]
  if (below === undefined) return `${room} is not a room of src-main; see docs/ARCHITECTURE.md.`
  return below.includes(targetRoom) ? null : `${room} may not import ${targetRoom}: imports go one way.`
}

/** Makes a path of this machine relative to the repository. */
function repositoryPath(filename: string, root: string): string {
  const path = filename.replaceAll('\\', '/')
  const base = root.replaceAll('\\', '/')
  return path.startsWith(`${base}/`) ? path.slice(base.length + 1) : path
}

export const roomImports: Rule.RuleModule = {
  meta: {
    type: 'problem',
    docs: { description: 'Imports go one way, and each heavy package has one owner.' },
    schema: [],
  },
  create(context) {
    const importer = repositoryPath(context.filename, context.cwd)
    const check = (node: Rule.Node, source: unknown, typeOnly: boolean): void => {
      if (typeof source !== 'string') return
      const message = forbiddenImport(importer, source, typeOnly)
      if (message !== null) context.report({ node, message })
    }
    return {
      ImportDeclaration: (node) => check(node, node.source.value, isTypeOnly(node)),
      ExportNamedDeclaration: (node) => check(node, node.source?.value, isTypeOnly(node)),
      ExportAllDeclaration: (node) => check(node, node.source.value, isTypeOnly(node)),
      ImportExpression: (node) => check(node, 'value' in node.source ? node.source.value : undefined, false),
    }
  },
}

/** `import type` and `export type`, which the TypeScript parser marks. */
function isTypeOnly(node: object): boolean {
  const { importKind, exportKind } = node as { importKind?: string; exportKind?: string }
  return importKind === 'type' || exportKind === 'type'
}
