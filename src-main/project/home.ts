import { readdirSync, realpathSync } from 'node:fs'
import { readFile, realpath } from 'node:fs/promises'
import { homedir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { z } from 'zod'
import { writeJsonAtomic } from '../core/atomic-file.ts'
import { peek } from './database.ts'
import { Project } from './project.ts'

/** Folder that holds all projects: KINEO_HOME, or `Kineo` in the person's home folder. */
export function kineoHome(): string {
  const set = process.env['KINEO_HOME']
  const folder = set === undefined || set === '' ? join(homedir(), 'Kineo') : resolve(set)
  try {
    return realpathSync(folder)
  } catch {
    return folder
  }
}

/** The path by which a folder is known, whatever links or dots led to it. */
export async function canonicalFolder(folder: string): Promise<string> {
  const path = resolve(folder)
  return await realpath(path).catch(() => path)
}

/** Folder of the project that was made from a source folder, or null. */
export function projectOfSource(sourceFolder: string): string | null {
  for (const folder of foldersIn(kineoHome())) {
    const row = peek<{ source: string }>(folder, 'SELECT source_folder AS source FROM project')
    if (row?.source === sourceFolder) return folder
  }
  return null
}

/** A free folder for a new project with the name of its source: `gestures`, or `gestures 2`. */
export function freeProjectFolder(sourceFolder: string): string {
  const taken = new Set(foldersIn(kineoHome()).map((folder) => basename(folder).toLowerCase()))
  const name =
    basename(sourceFolder)
      .replaceAll(/[^\p{L}\p{N} ._-]/gu, '')
      .trim() || 'project'
  for (let number = 1; ; number++) {
    const candidate = number === 1 ? name : `${name} ${number}`
    if (!taken.has(candidate.toLowerCase())) return join(kineoHome(), candidate)
  }
}

function foldersIn(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => join(folder, entry.name))
  } catch {
    return []
  }
}

const recentProject = z.object({ name: z.string(), folder: z.string(), openedAt: z.string() })
export type RecentProject = z.infer<typeof recentProject>

const recentLimit = 12

function recentFile(): string {
  return join(kineoHome(), 'recent.json')
}

/** Projects opened lately that are still there, newest first. A damaged list counts as empty. */
export async function recentProjects(): Promise<RecentProject[]> {
  try {
    const list = z.array(recentProject).parse(JSON.parse(await readFile(recentFile(), 'utf8')))
    return list.filter(({ folder }) => Project.existsIn(folder))
  } catch {
    return []
  }
}

/** Puts a project at the head of the list. */
export async function rememberProject(project: Project): Promise<void> {
  const others = (await recentProjects()).filter(({ folder }) => folder !== project.folder)
  const entry = { name: project.record().name, folder: project.folder, openedAt: new Date().toISOString() }
  await writeJsonAtomic(recentFile(), [entry, ...others].slice(0, recentLimit))
}
