import { readdir } from 'node:fs/promises'
import { basename, join, sep } from 'node:path'
import { KineoError } from '../core/errors.ts'
import type { ModelType } from '../core/streams.ts'
import type { ReportNote } from './problems.ts'

/** The images of one video, absolute paths in the order of time; a list is empty where it is not looked at. */
export interface FrameLists {
  rgb: string[]
  u: string[]
  v: string[]
}

const imageName = /\.(png|jpe?g|bmp|gif|tiff?|webp)$/i
/** What systems and file managers leave in folders, beside names with a leading dot. */
const systemNames =
  /^(Thumbs\.db|ehthumbs(_vista)?\.db|desktop\.ini|Icon\r|@eaDir|__MACOSX|lost\+found|\$RECYCLE\.BIN|System Volume Information)$/i

/** True for entries that no person put there. */
export function isSystemEntry(name: string): boolean {
  return name.startsWith('.') || systemNames.test(name)
}

/**
 * Lists the images that a network of `modelType` looks at in the folder of one video.
 *
 * @throws KineoError `input` when a folder is missing, has no images or one frame twice, u and v do not pair, or there
 * are fewer colour frames than flow between them.
 */
export async function listFrames(
  video: string,
  modelType: ModelType,
  onNote: ReportNote,
): Promise<FrameLists> {
  const rgb = modelType === 'of' ? [] : await images(join(video, 'rgb'), onNote)
  if (modelType === 'rgb') return { rgb, u: [], v: [] }
  const u = await images(join(video, 'u'), onNote)
  const v = await images(join(video, 'v'), onNote)
  checkPairs(video, u, v)
  if (modelType === 'joint' && rgb.length < u.length) {
    throw new KineoError('input', `A video has ${rgb.length} rgb frames and ${u.length} flow images`, {
      where: video,
      remedy: 'Flow image k belongs to frames k and k + 1; prepare it again with `kineo preprocess`',
    })
  }
  return { rgb, u, v }
}

/** Absolute paths of the images in `folder`, in order. */
async function images(folder: string, onNote: ReportNote): Promise<string[]> {
  const isFlow = basename(folder) !== 'rgb'
  const names = await readdir(folder).catch((error: unknown) => {
    throw unreadableFolder(folder, isFlow ? 'folder of flow images' : 'folder of frames', error)
  })
  const all = names.filter((name) => !isSystemEntry(name))
  const found = all.filter((name) => imageName.test(name))
  if (found.length === 0) {
    throw new KineoError('input', isFlow ? 'A video has no flow images' : 'A video has no frames', {
      where: folder,
      remedy: isFlow
        ? 'Prepare it again with `kineo preprocess --flow dis`, or use model_type rgb'
        : 'Prepare it again with `kineo preprocess`, or remove its folder',
    })
  }
  const others = all.filter((name) => !imageName.test(name))
  if (others.length > 0) onNote(`Ignored ${countOf(others, 'file')} that are no images in ${folder}`)
  checkDoubles(folder, found)
  // Concatenated, so that a hundred frames share the text of their folder until one is opened.
  return sortFrameNames(found).map((name) => `${folder}${sep}${name}`)
}

/**
 * Frame names in the order of time: sorted as text, as TAO does. Names of unequal length are sorted by their last number first,
 * where text would put `10.png` before `2.png` and so break the order of time.
 */
export function sortFrameNames(names: readonly string[]): string[] {
  const length = names[0]?.length ?? 0
  if (names.every((name) => name.length === length)) return names.toSorted()
  const numbered = names.map((name) => ({ name, number: Number(/(\d+)\D*$/.exec(name)?.[1] ?? NaN) }))
  if (numbered.some(({ number }) => Number.isNaN(number))) return names.toSorted()
  numbered.sort((a, b) => a.number - b.number || (a.name < b.name ? -1 : 1))
  return numbered.map(({ name }) => name)
}

/** Two images of one name but for their endings would make a frame twice as long. */
function checkDoubles(folder: string, names: readonly string[]): void {
  const seen = new Map<string, string>()
  for (const name of names) {
    const other = seen.get(stemOf(name))
    if (other !== undefined) {
      throw new KineoError('input', `A frame stands twice, as ${other} and ${name}`, {
        where: folder,
        remedy: 'Remove one of each such pair',
      })
    }
    seen.set(stemOf(name), name)
  }
}

function checkPairs(video: string, u: readonly string[], v: readonly string[]): void {
  const remedy = 'Prepare it again with `kineo preprocess`'
  if (u.length !== v.length) {
    throw new KineoError('input', `A video has ${u.length} images in u and ${v.length} in v`, {
      where: video,
      remedy,
    })
  }
  const odd = u.findIndex((file, i) => stemOf(file) !== stemOf(v[i] ?? ''))
  if (odd >= 0) {
    throw new KineoError('input', `The flow images of a video do not pair: ${basename(u[odd] ?? '')} in u`, {
      where: `${video} (${basename(v[odd] ?? '')} in v)`,
      remedy,
    })
  }
}

function stemOf(file: string): string {
  return basename(file).replace(imageName, '')
}

/** The failure to read a folder, told as what it is for. */
export function unreadableFolder(folder: string, kind: string, error: unknown): KineoError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  const reasons: Record<string, string> = {
    ENOENT: 'is missing',
    ENOTDIR: 'is not a folder',
    EACCES: 'may not be read',
  }
  const remedies: Record<string, string> = {
    'folder of frames': 'Prepare the video with `kineo preprocess`, or remove its folder',
    'folder of flow images': 'Prepare the video with `kineo preprocess --flow dis`, or use model_type rgb',
  }
  const remedy = remedies[kind]
  return new KineoError('input', `The ${kind} ${reasons[code] ?? `cannot be read (${code})`}`, {
    where: folder,
    ...(remedy === undefined ? {} : { remedy }),
    cause: error,
  })
}

export function countOf(names: readonly string[], noun: string): string {
  const example = names[0] ?? ''
  return names.length === 1 ? `1 ${noun} (${example})` : `${names.length} ${noun}s (${example}, ...)`
}
