import { readdirSync } from 'node:fs'
import { Linter } from 'eslint'
import typescript from 'typescript-eslint'
import { describe, expect, it } from 'vitest'
import { forbiddenImport, roomImports, roomsBelow } from '../../build/lint/room-imports.ts'

describe('the import rule', () => {
  it('lets a room import the rooms below it and itself', () => {
    expect(forbiddenImport('src-main/tasks/train.ts', '../engine/index.ts', false)).toBeNull()
    expect(forbiddenImport('src-main/engine/nets/resnet.ts', '../autodiff/ops.ts', false)).toBeNull()
    expect(forbiddenImport('src-main/cli/commands/train.ts', '../../tasks/train.ts', false)).toBeNull()
  })

  it('refuses an import upwards or sideways', () => {
    expect(forbiddenImport('src-main/engine/index.ts', '../tasks/train.ts', false)).toContain(
      'engine may not',
    )
    expect(forbiddenImport('src-main/core/errors.ts', '../engine/tensor.ts', true)).toContain('core may not')
    expect(forbiddenImport('src-main/tasks/train.ts', '../api/router.ts', false)).toContain('tasks may not')
    expect(forbiddenImport('src-main/extras/a.ts', '../core/errors.ts', false)).toContain('not a room')
  })

  it('knows the owner of each heavy package', () => {
    expect(forbiddenImport('src-main/engine/runtime/session.ts', 'onnxruntime-node', false)).toBeNull()
    expect(forbiddenImport('src-main/tasks/train.ts', 'onnxruntime-node', false)).toContain('engine/runtime')
    expect(forbiddenImport('src-main/server/main.ts', 'electron', false)).toContain('desktop')
    expect(forbiddenImport('src-main/api/router.ts', 'better-sqlite3', true)).toContain('project')
    expect(forbiddenImport('src-main/tasks/train.ts', '@hono/node-server/serve', false)).toContain('server')
  })

  it('gives the renderer types of the contract and nothing else', () => {
    const importer = 'src-renderer/api/client.ts'
    expect(forbiddenImport(importer, '../../src-main/api/contract/index.ts', true)).toBeNull()
    expect(forbiddenImport(importer, '../../src-main/api/contract/index.ts', false)).toContain('only types')
    expect(forbiddenImport(importer, '../../src-main/core/errors.ts', true)).toContain('only types')
  })

  it('has no cycle between rooms and names every room that exists', () => {
    const reaches = (from: string, to: string): boolean =>
      (roomsBelow[from] ?? []).some((room) => room === to || reaches(room, to))
    for (const room of Object.keys(roomsBelow)) expect(reaches(room, room), room).toBe(false)
    const rooms = readdirSync('src-main', { withFileTypes: true }).filter((entry) => entry.isDirectory())
    for (const { name } of rooms) expect(Object.keys(roomsBelow)).toContain(name)
  })

  it('reports a wrong import where it stands', () => {
    const messages = new Linter().verify(
      "import { contract } from '../api/contract/index.ts'\nexport * from '../core/errors.ts'\n",
      {
        files: ['**/*.ts'],
        languageOptions: { parser: typescript.parser },
        plugins: { kineo: { rules: { 'room-imports': roomImports } } },
        rules: { 'kineo/room-imports': 'error' },
      },
      'src-main/engine/index.ts',
    )
    expect(messages.map(({ line, message }) => [line, message])).toEqual([
      [1, 'engine may not import api: imports go one way.'],
    ])
  })
})
