import { stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { describeError, isCancelled } from '../../core/errors.ts'
import { listDataset, type VideoSample } from '../../dataset/index.ts'
import { adviceOn, problemLine, readSpec, type Spec, type SpecProblem } from '../../spec/index.ts'
import { resultsFolder } from '../../tasks/results-folder.ts'
import type { CommandContext } from '../command.ts'
import { folderNames, frameRange } from '../dataset-survey.ts'
import { readSpecSource } from '../spec-arguments.ts'

/** `kineo spec check`: tells everything that is wrong with a spec before anything long starts. */
export async function checkSpecFile(args: string[], { terminal }: CommandContext): Promise<number> {
  const { path, overrides } = readSpecSource('spec check', args)
  const reading = await readSpec(path, overrides)
  const { spec, places } = reading
  const found = spec === null ? nothing : await lookAround(spec)
  const placed = (finding: Finding): SpecProblem => ({ ...finding, place: places.get(finding.key) ?? null })
  const problems = [...reading.problems, ...found.problems.map(placed)]
  const notes = [...reading.notes, ...adviceOn(reading), ...found.notes.map(placed)]
  terminal.event('result', { ok: problems.length === 0, problems, notes, summary: found.summary })
  if (problems.length === 0) {
    terminal.line(`ok: ${path} can be used.`)
    for (const line of found.summary) terminal.line(line)
  } else {
    const count = problems.length === 1 ? 'a problem' : `${problems.length} problems`
    terminal.line(`${path} has ${count}:`)
    for (const problem of problems) terminal.line(`  ${problemLine(problem)}`)
  }
  if (notes.length > 0) terminal.line('Worth knowing:')
  for (const note of notes) terminal.line(`  ${problemLine(note)}`)
  return problems.length === 0 ? 0 : 2
}

type Finding = Pick<SpecProblem, 'key' | 'message'>

/** What the files and folders that a spec names come to. */
interface Surroundings {
  problems: Finding[]
  notes: Finding[]
  /** What would be done on what, in plain sentences. */
  summary: string[]
}

const nothing: Surroundings = { problems: [], notes: [], summary: [] }

async function lookAround(spec: Spec): Promise<Surroundings> {
  const parts = [
    await trainingVideos(spec),
    await weights(spec),
    await testVideos(spec),
    await inferenceVideos(spec),
    await checkpoints(spec),
  ]
  return {
    problems: parts.flatMap(({ problems }) => problems),
    notes: parts.flatMap(({ notes }) => notes),
    summary: parts.flatMap(({ summary }) => summary),
  }
}

async function trainingVideos(spec: Spec): Promise<Surroundings> {
  const { train_dataset_dir: trainFolder, val_dataset_dir: valFolder, label_map: labelMap } = spec.dataset
  if (trainFolder === null) {
    const message = 'is not given, so this spec cannot train'
    return { ...nothing, notes: [{ key: 'dataset.train_dataset_dir', message }] }
  }
  if (labelMap === null) return { ...nothing, problems: [await missingLabelMap(trainFolder)] }
  const train = await videos(spec, trainFolder, 'dataset.train_dataset_dir')
  const val = valFolder === null ? null : await videos(spec, valFolder, 'dataset.val_dataset_dir')
  const problems = [...train.problems, ...(val?.problems ?? [])]
  const notes = emptyClasses(train.samples, labelMap)
  if (train.samples.length === 0) return { problems, notes, summary: [] }
  const validated =
    val === null
      ? 'validates on nothing'
      : `validates on ${count(val.samples.length, 'video')} in ${valFolder}`
  return {
    problems,
    notes,
    summary: [
      `Trains ${networkWords(spec)} on ${count(train.samples.length, 'video')} of ${classWords(labelMap)} in ${trainFolder}, and ${validated}.`,
      clipWords(spec, train.samples),
      `Results go to ${resultsFolder(spec, 'train')}.`,
    ],
  }
}

/** Too many to list one by one: the dataset room's own message names them. */
async function videos(
  spec: Spec,
  folder: string,
  key: string,
): Promise<{ samples: VideoSample[]; problems: Finding[] }> {
  const labelMap = new Map(Object.entries(spec.dataset.label_map ?? {}))
  try {
    return { samples: await listDataset(folder, labelMap, spec.model.model_type), problems: [] }
  } catch (error) {
    if (isCancelled(error)) throw error
    return { samples: [], problems: [{ key, message: describeError(error) }] }
  }
}

async function missingLabelMap(folder: string): Promise<Finding> {
  const names = await folderNames(folder).catch(() => [])
  const map = names.map((name, index) => `${name}: ${index}`).join(', ')
  const remedy = names.length === 0 ? '' : `; for the folders that are there it is {${map}}`
  return { key: 'dataset.label_map', message: `is missing${remedy}` }
}

function emptyClasses(samples: readonly VideoSample[], labelMap: Record<string, number>): Finding[] {
  if (samples.length === 0) return []
  const seen = new Set(samples.map(({ label }) => label))
  const empty = Object.keys(labelMap).filter((name) => !seen.has(name))
  if (empty.length === 0) return []
  const verb = empty.length === 1 ? 'has' : 'have'
  return [{ key: 'dataset.label_map', message: `${empty.join(', ')} ${verb} no training videos` }]
}

async function weights(spec: Spec): Promise<Surroundings> {
  const { model, train } = spec
  const problems = await missing('file', [
    ['model.rgb_pretrained_model_path', model.rgb_pretrained_model_path],
    ['model.of_pretrained_model_path', model.of_pretrained_model_path],
    ['model.joint_pretrained_model_path', model.joint_pretrained_model_path],
    ['train.resume_training_checkpoint_path', train.resume_training_checkpoint_path],
  ])
  return { ...nothing, problems }
}

async function testVideos(spec: Spec): Promise<Surroundings> {
  const { test_dataset_dir: folder } = spec.evaluate
  if (folder === null) return nothing
  if (spec.dataset.label_map === null) {
    return { ...nothing, problems: await missing('folder', [['evaluate.test_dataset_dir', folder]]) }
  }
  const { samples, problems } = await videos(spec, folder, 'evaluate.test_dataset_dir')
  const summary = samples.length === 0 ? [] : [`Evaluates on ${count(samples.length, 'video')} in ${folder}.`]
  return { problems, notes: [], summary }
}

async function inferenceVideos(spec: Spec): Promise<Surroundings> {
  const { inference_dataset_dir: folder } = spec.inference
  return { ...nothing, problems: await missing('any', [['inference.inference_dataset_dir', folder]]) }
}

/** A checkpoint that training will make is not missing yet. */
async function checkpoints(spec: Spec): Promise<Surroundings> {
  const own = resultsFolder(spec, 'train')
  const isComing = (path: string): boolean =>
    spec.dataset.train_dataset_dir !== null && resolve(dirname(path)) === own
  const given = (['evaluate', 'inference', 'export'] as const)
    .map((task) => [`${task}.checkpoint`, spec[task].checkpoint] as const)
    .filter(([, path]) => path !== null && !isComing(path))
  return { ...nothing, problems: await missing('file', given) }
}

/** Problems of the paths that are given and are not there. */
async function missing(
  kind: 'file' | 'folder' | 'any',
  paths: readonly (readonly [key: string, path: string | null])[],
): Promise<Finding[]> {
  const found: Finding[] = []
  for (const [key, path] of paths) {
    if (path === null) continue
    const entry = await stat(path).catch(() => null)
    if (entry === null) found.push({ key, message: `${path} is not there` })
    else if (kind === 'file' && !entry.isFile()) found.push({ key, message: `${path} is not a file` })
    else if (kind === 'folder' && !entry.isDirectory())
      found.push({ key, message: `${path} is not a folder` })
  }
  return found
}

function networkWords({ model }: Spec): string {
  const looksAt = { rgb: 'colour frames', of: 'optical flow', joint: 'colour frames and optical flow' }
  const backbone = model.backbone.replace('resnet_', 'ResNet')
  return `a ${model.input_type.toUpperCase()} ${backbone} for ${looksAt[model.model_type]}`
}

function classWords(labelMap: Record<string, number>): string {
  const names = Object.entries(labelMap)
    .sort(([, a], [, b]) => a - b)
    .map(([name]) => name)
  const some = names.slice(0, 8).join(', ') + (names.length > 8 ? ', …' : '')
  return `${count(names.length, 'class', 'classes')} (${some})`
}

function clipWords(spec: Spec, samples: readonly VideoSample[]): string {
  const { model, dataset, train } = spec
  const frames = {
    rgb: count(model.rgb_seq_length, 'frame'),
    of: count(model.of_seq_length, 'flow image'),
    joint: `${count(model.rgb_seq_length, 'frame')} and ${count(model.of_seq_length, 'flow image')}`,
  }[model.model_type]
  const clips = samples.length * dataset.clips_per_video
  const batch = Math.min(dataset.batch_size, clips)
  const steps = Math.ceil(clips / batch)
  const [shortest, longest] = frameRange(samples, model.model_type)
  const long = shortest === longest ? `${shortest}` : `${shortest} to ${longest}`
  const spread = model.sample_strategy === 'consecutive' ? 'in a row' : 'spread over the video'
  return `A clip is ${frames} ${spread}, ${model.input_width} x ${model.input_height} pixels; the videos have ${long}. ${count(train.num_epochs, 'epoch')} of ${count(steps, 'step')} with ${count(batch, 'clip')} each.`
}

function count(number: number, one: string, many = `${one}s`): string {
  return `${number} ${number === 1 ? one : many}`
}
