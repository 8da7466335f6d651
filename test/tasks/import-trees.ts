import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

/** Writes files below `root`: text as it is, null for a small "video" whose content is its own path. */
export async function writeTree(root: string, files: Readonly<Record<string, string | null>>): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true })
    await writeFile(join(root, path), content ?? `video ${path}`)
  }
}

/** A file in the manner of `.avi` names for each of `paths`. */
export function videos(...paths: string[]): Record<string, null> {
  return Object.fromEntries(paths.map((path) => [path, null]))
}

/** Every file below `root`, hidden ones too, sorted, with `/`. */
export async function filesIn(root: string): Promise<string[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true }).catch(() => [])
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) =>
      join(entry.parentPath, entry.name)
        .slice(root.length + 1)
        .replaceAll('\\', '/'),
    )
    .sort()
}

/**
 * HMDB51 as its archives unpack: class folders within folders of the same name, and lists for three splits, in which
 * video n of four is for training in split s when n differs from s and is not 4, for testing when n is s, and unused
 * when n is 4.
 */
export async function writeHmdb51(root: string, classNames: readonly string[]): Promise<void> {
  for (const className of classNames) {
    const names = [1, 2, 3, 4].map((n) => `#${n}_(Film)!_${className}_u_nm_np1_fr_goo_${n}.avi`)
    await writeTree(root, videos(...names.map((name) => `${className}/${className}/${name}`)))
    for (const split of [1, 2, 3]) {
      const flag = (n: number): number => (n === 4 ? 0 : n === split ? 2 : 1)
      const lines = names.map((name, i) => `${name} ${flag(i + 1)} `)
      await writeTree(root, {
        [`testTrainMulti_7030_splits/${className}_test_split${split}.txt`]: `${lines.join('\n')}\n`,
      })
    }
  }
}

/** UCF101 with two groups of a clip for training and one for testing in each class; the lists end lines with CRLF. */
export async function writeUcf101(root: string, classNames: readonly string[]): Promise<void> {
  const clip = (className: string, group: number): string =>
    // The official names write HandstandPushups differently in folders and files.
    `${className}/v_${className.replace('Handstand', 'HandStand')}_g0${group}_c01.avi`
  const lists: Record<string, string> = {
    'classInd.txt': classNames.map((name, i) => `${i + 1} ${name}\r\n`).join(''),
  }
  for (const split of [1, 2, 3]) {
    lists[`testlist0${split}.txt`] = classNames.map((name) => `${clip(name, split)}\r\n`).join('')
    lists[`trainlist0${split}.txt`] = classNames
      .flatMap((name, i) => [1, 2, 3].filter((g) => g !== split).map((g) => `${clip(name, g)} ${i + 1}\r\n`))
      .join('')
  }
  for (const [name, text] of Object.entries(lists))
    await writeTree(root, { [`ucfTrainTestlist/${name}`]: text })
  const clips = classNames.flatMap((name) => [1, 2, 3].map((group) => `UCF-101/${clip(name, group)}`))
  await writeTree(root, videos(...clips))
}
