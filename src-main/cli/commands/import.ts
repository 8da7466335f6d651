import { parseArgs } from 'node:util'
import { join } from 'node:path'
import { Document, isCollection } from 'yaml'
import { KineoError } from '../../core/errors.ts'
import { importDataset, type ImportOptions, type ImportReport } from '../../tasks/import-dataset.ts'
import type { Command } from '../command.ts'
import { longWorkHooks } from '../long-work.ts'
import type { Terminal } from '../terminal.ts'

const kinds = ['hmdb51', 'ucf101', 'kinetics', 'csv', 'folder'] as const

export const importCommand: Command = {
  name: 'import',
  help: `Usage: kineo import KIND SRC --out DATASET [options]

Brings videos into the form that kineo preprocess and the app read: class-named folders, below train/, val/ and test/
where the source is divided. SRC is never changed. Started again, it adds what is missing and removes nothing.

KIND says what SRC is:
  hmdb51     folder with the unpacked class folders and <class>_test_split1.txt ...
  ucf101     folder with UCF-101/ and ucfTrainTestlist/
  kinetics   folder with the official tables (train.csv ...) and clips of Kinetics 400, 600 or 700
  csv        a table: path,label or path,label,split; or MMAction2's list of "path number"
  folder     class folders, the same below train/, val/ and test/, or videos named wave_01.mp4, wave_02.mp4 ...

Options:
  --out DATASET      folder of the dataset, outside of SRC
  --classes A,B      only these classes
  --split 1|2|3      which official split, for hmdb51 and ucf101 (default 1)
  --splits DIR       where the official lists are, if not in SRC
  --labels FILE      names of numbered classes, one a line, for csv
  --val F            set the share F of each class aside as val/, for csv and folder without a split
  --limit N          at most N videos of each class in each part
  --link             hard links, which take no room and share the content with SRC; copies where a link cannot
                     be made (default)
  --copy             copies
  --dry-run          say what would be done, write nothing

Examples:
  kineo import hmdb51 hmdb51 --out hmdb5 --classes walk,run,push,ride_bike,fall_floor
  kineo import csv clips.csv --out videos --val 0.2
`,
  async run(args, { terminal, signal }) {
    const options = readArguments(args)
    const report = await importDataset(options, {
      ...longWorkHooks(terminal, signal),
      onFailed: ({ source, reason }) => terminal.warn(`${source}: ${reason}`),
    })
    printReport(report, options, terminal)
    terminal.event('result', report)
    return report.failed.length > 0 ? 1 : 0
  },
}

const usageRemedy = { remedy: 'See kineo import --help' }

function readArguments(args: string[]): ImportOptions {
  const { values, positionals } = parse(args)
  const [name, source, ...more] = positionals
  if (name === undefined) throw new KineoError('usage', `KIND is missing: ${kinds.join(', ')}`, usageRemedy)
  const kind = kinds.find((known) => known === name.toLowerCase())
  if (kind === undefined)
    throw new KineoError('usage', `The kinds are ${kinds.join(', ')}, not ${name}`, usageRemedy)
  if (source === undefined)
    throw new KineoError('usage', `SRC is missing: ${kind === 'csv' ? 'a table' : 'a folder'}`, usageRemedy)
  if (more.length > 0)
    throw new KineoError('usage', `One source at a time, not also ${more.join(', ')}`, usageRemedy)
  if (values.out === undefined)
    throw new KineoError('usage', '--out is missing: the folder of the dataset', usageRemedy)
  if (values.link && values.copy)
    throw new KineoError('usage', '--link and --copy exclude each other', usageRemedy)
  return {
    kind,
    source,
    output: values.out,
    classes: values.classes,
    split: number('--split', values.split),
    splits: values.splits,
    labels: values.labels,
    mode: values.copy ? 'copy' : 'link',
    valFraction: number('--val', values.val),
    limit: number('--limit', values.limit),
    dryRun: values['dry-run'] ?? false,
  }
}

function parse(args: string[]) {
  const text = { type: 'string' } as const
  const flag = { type: 'boolean' } as const
  const options = {
    ...{ out: text, split: text, splits: text, labels: text, val: text, limit: text },
    ...{ classes: { type: 'string', multiple: true } as const, link: flag, copy: flag, 'dry-run': flag },
  }
  try {
    return parseArgs({ args, options, allowPositionals: true })
  } catch (cause) {
    const message = cause instanceof Error ? (cause.message.split('. ')[0] ?? cause.message) : String(cause)
    throw new KineoError('usage', message, { ...usageRemedy, cause })
  }
}

function number(option: string, value: string | undefined): number | undefined {
  if (value === undefined) return undefined
  const parsed = value.trim() === '' ? Number.NaN : Number(value)
  if (Number.isNaN(parsed)) throw new KineoError('usage', `${option} must be a number, not "${value}"`)
  return parsed
}

function printReport(report: ImportReport, options: ImportOptions, terminal: Terminal): void {
  const { output, parts, linked, copied, unchanged, failed, missing, missingList, dryRun } = report
  for (const { part, videos, classes } of parts) {
    const name = part === null ? 'videos' : part
    terminal.line(
      `${`${name}:`.padEnd(7)} ${plural(videos, 'video')} of ${plural(classes, 'class', 'classes')}`,
    )
  }
  if (missing > 0) {
    const where = missingList === null ? '' : `, named in ${missingList}`
    terminal.warn(`${plural(missing, 'listed video')} not there${where}`)
  }
  if (dryRun) {
    terminal.line('Nothing was written (--dry-run)')
    return
  }
  if (copied > 0 && options.mode === 'link') {
    terminal.line(`${plural(copied, 'video')} copied, since links cannot be made there`)
  }
  if (failed.length > 0) terminal.warn(`${plural(failed.length, 'video')} could not be imported`)
  const counts = [
    ...(linked > 0 ? [`${linked} linked`] : []),
    ...(copied > 0 ? [`${copied} copied`] : []),
    ...(unchanged > 0 ? [`${unchanged} there already`] : []),
  ]
  terminal.line(`Videos: ${counts.join(', ') || 'none'}\nDataset: ${output}`)
  if (report.hasTraining) printNext(report, options.output, terminal)
}

/** What to type next, with the folder as the person wrote it. */
function printNext(
  { parts, hasValidation, labelMap }: ImportReport,
  output: string,
  terminal: Terminal,
): void {
  const has = (wanted: string): boolean => parts.some(({ part }) => part === wanted)
  const folder = output.replace(/(?<=.)[\\/]+$/, '')
  const frames = `${folder}-frames`
  const hasOwnTest = has('test') && has('val')
  if (has('test') && !hasOwnTest) {
    terminal.line('There is no val/ in the data set: kineo preprocess and the app validate with its test/')
  }
  terminal.line(`
Next:
  kineo preprocess ${quoted(folder)} --out ${quoted(frames)}${hasValidation ? '' : ' --val 0.2'}
and in the spec:
  dataset:
    train_dataset_dir: ${yaml(join(frames, 'train'))}
    val_dataset_dir: ${yaml(join(frames, 'val'))}
    label_map: ${yaml(labelMap)}`)
  if (hasOwnTest) terminal.line(`  evaluate:\n    test_dataset_dir: ${yaml(join(frames, 'test'))}`)
}

/** On one line, as it stands in a spec. */
function yaml(value: unknown): string {
  const document = new Document(value)
  if (isCollection(document.contents)) document.contents.flow = true
  return document.toString({ lineWidth: 0 }).trim()
}

/** For a shell: in quotes where it has other than plain characters. */
function quoted(path: string): string {
  if (/^[\w./\\:@%+=,-]+$/.test(path)) return path
  return process.platform === 'win32' ? `"${path}"` : `'${path.replaceAll("'", String.raw`'\''`)}'`
}

function plural(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`
}
