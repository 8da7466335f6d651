import { KineoError } from '../../core/errors.ts'
import type { StreamInputs } from '../../core/streams.ts'
import { withBytes } from '../../engine/checkpoint/byte-source.ts'
import { readCheckpoint, type JsonValue } from '../../engine/checkpoint/index.ts'
import { isTorchFile } from '../../engine/checkpoint/torch-file.ts'
import { EvaluationSession, networkInputs } from '../../engine/index.ts'
import { OnnxClassifier } from '../../engine/runtime/onnx-classifier.ts'
import { parseSpec, readSpec, requireSpec, type Spec } from '../../spec/index.ts'
import { getKey, mergeSources, readOverrides, type SpecSource, type Tree } from '../../spec/source.ts'
import { checkTransform, type TransformConfig } from '../../dataset/index.ts'
import { classNamesOf, resolveClassNames } from '../network/class-names.ts'
import { evaluationTransform } from '../network/clip-loader.ts'
import { frameSourceOf, type FrameSource } from '../network/frame-source.ts'
import { assertWeightsFit, networkOfWeights } from '../network/network-of-weights.ts'
import { preprocessingNotes } from '../network/preprocessing.ts'
import { networkOf } from '../network/spec-network.ts'
import { specOfInputs, specOfNetwork, specOfPreprocessing, specOfWeights } from './known-settings.ts'
import { readLabels } from './labels.ts'
import type { WindowLengths } from './window-rule.ts'

/** What a person says about a model beside the file itself. */
export interface ModelOptions {
  /** An experiment spec, for what the file does not tell; what it says goes before what the file says. */
  specFile?: string | undefined
  /** `key=value` of a spec, laid over all others. */
  overrides?: readonly string[]
  /** A file of class names. */
  labelsFile?: string | undefined
  encryptionKey?: string | undefined
}

/** A model that is ready to score windows, and how it wants to see them. */
export interface PredictionModel {
  /** `checkpoint` is a .pth of Kineo or TAO, `onnx` an exported model. */
  kind: 'checkpoint' | 'onnx'
  classNames: string[]
  window: WindowLengths
  transform: TransformConfig
  /** How the frames that it was trained on were made. */
  source: FrameSource
  /** Clips of a run where the file fixes them. */
  fixedBatch: number | null
  /** What a person should know, as sentences. */
  notes: string[]
  /** @returns Logits, [count, classes]; the run blocks the thread. */
  logits: (inputs: StreamInputs, count: number) => Promise<Float32Array>
  dispose: () => Promise<void>
}

/**
 * Opens a checkpoint or an exported model, told apart by content.
 * @throws KineoError: `input` when it is neither, is damaged, encrypted, or does not fit what was said about it; `usage`
 * and `spec` when more has to be said, or something wrong was.
 */
export async function openModel(path: string, options: ModelOptions): Promise<PredictionModel> {
  const given = await givenSpec(options)
  const encryptionKey = options.encryptionKey ?? given.encryptionKey
  const content = await withBytes(path, { encryptionKey }, async (source) => {
    const start = await source.read(0, 16)
    if (isTorchFile(start)) return 'checkpoint'
    // Most writers begin with field 1 of a ModelProto, its version.
    if (start[0] === 0x08) return await source.read(0, source.size)
    throw new KineoError('input', 'The model is neither a checkpoint nor an ONNX model', {
      where: path,
      remedy: 'Give a .pth of Kineo or of TAO (unencrypted), or an .onnx that was exported from one',
    })
  })
  const labels = options.labelsFile === undefined ? null : await readLabels(options.labelsFile)
  if (content !== 'checkpoint') return await openOnnx(content, path, given, labels)
  return await openCheckpoint(path, encryptionKey, given, labels)
}

async function openCheckpoint(
  path: string,
  encryptionKey: string | undefined,
  given: GivenSpec,
  labels: readonly string[] | null,
): Promise<PredictionModel> {
  const checkpoint = await readCheckpoint(path, { encryptionKey })
  const { network: saved, extra } = checkpoint
  let base: Tree
  if (saved !== undefined) {
    base = merged(specOfPreprocessing(extra['preprocessing']), specOfNetwork(saved))
  } else {
    const weights = networkOfWeights(checkpoint.parameters, 'rgb')
    if (weights === null) {
      throw new KineoError('input', 'The checkpoint is not one of an action recognition network', {
        where: path,
        remedy: 'Give a .pth that kineo train or TAO wrote, such as ar_model_latest.pth',
      })
    }
    base = specOfWeights(weights, given.tree, path)
  }
  const spec = resolveSpec(base, given)
  const { classNames, note } = resolveClassNames(withLabels(spec, labels), checkpoint, path)
  const network = networkOf(spec, classNames.length)
  assertWeightsFit(network, checkpoint.parameters, path)
  const session = await EvaluationSession.create({ network, parameters: checkpoint.parameters })
  const trained = extra['preprocessing']
  return {
    kind: 'checkpoint',
    ...settingsOf(spec),
    classNames,
    source: frameSourceOf(extra['frames']),
    fixedBatch: null,
    notes: [
      ...(note === null ? [] : [note]),
      ...preprocessingNotes(trained, spec),
      ...generalNotes(spec, trained !== undefined || given.spec !== null, extra['frames'] !== undefined),
    ],
    logits: (inputs, count) => session.logits(inputs, count),
    dispose: () => session.dispose(),
  }
}

async function openOnnx(
  bytes: Uint8Array,
  path: string,
  given: GivenSpec,
  labels: readonly string[] | null,
): Promise<PredictionModel> {
  const classifier = await OnnxClassifier.create(bytes, path)
  try {
    const { metadata, classCount } = classifier
    const trained = jsonValues(metadata)
    const base = merged(specOfPreprocessing(trained), specOfInputs(classifier.inputs))
    const spec = resolveSpec(base, given)
    const classNames = namesOf(spec, labels, trained['label_map'], path)
    if (classNames.length !== classCount) {
      throw new KineoError(
        'input',
        `The model gives scores for ${classCount} classes, ${classNames.length} have names (${classNames.join(', ')})`,
        { where: path, remedy: 'Use the labels that it was trained with' },
      )
    }
    for (const { stream, name, shape } of networkInputs(networkOf(spec, classCount), 1)) {
      const has = classifier.inputs.find((input) => input.stream === stream)?.shape ?? []
      const wanted = shape.slice(1)
      if (has.join() !== wanted.join()) {
        throw new KineoError(
          'input',
          `The model takes ${has.length === 0 ? 'no' : `[batch, ${has.join(', ')}] as`} ${name}, the settings give [batch, ${wanted.join(', ')}]`,
          {
            where: path,
            remedy:
              'Use the model_type, input_type, sequence length and input size that it was exported with',
          },
        )
      }
    }
    const isOurs = metadata['kineo_version'] !== undefined
    return {
      kind: 'onnx',
      ...settingsOf(spec),
      classNames,
      source: frameSourceOf(trained['frames']),
      fixedBatch: classifier.fixedBatch,
      notes: [
        ...preprocessingNotes(isOurs ? trained : undefined, spec),
        ...generalNotes(spec, isOurs || given.spec !== null, trained['frames'] !== undefined),
      ],
      logits: (inputs, count) => classifier.logits(inputs, count),
      dispose: () => classifier.dispose(),
    }
  } catch (error) {
    await classifier.dispose()
    throw error
  }
}

/** What the person says: a spec file with overrides on it, or overrides alone. */
interface GivenSpec {
  /** The whole spec, or null when there is no file of it. */
  spec: Spec | null
  overrides: SpecSource
  tree: Tree
  encryptionKey: string | undefined
}

async function givenSpec({ specFile, overrides: texts = [] }: ModelOptions): Promise<GivenSpec> {
  const overrides = readOverrides(texts)
  const key = getKey(overrides.tree, 'encryption_key')
  if (specFile === undefined) {
    return {
      spec: null,
      overrides,
      tree: overrides.tree,
      encryptionKey: typeof key === 'string' ? key : undefined,
    }
  }
  const spec = requireSpec(await readSpec(specFile, texts))
  return { spec, overrides, tree: { ...spec }, encryptionKey: spec.encryption_key ?? undefined }
}

/** @param base What the model's file says. */
function resolveSpec(base: Tree, given: GivenSpec): Spec {
  if (given.spec !== null) return given.spec
  // Training crops do not matter here, and must not clash with the rest.
  const start: Tree = { dataset: { augmentation_config: { train_crop_type: 'no_crop' } } }
  const sources = [start, base].map((tree): SpecSource => ({ tree, places: new Map() }))
  const { tree } = [...sources, given.overrides].reduce((below, above) =>
    mergeSources(below, above, ['dataset.label_map']),
  )
  return parseSpec(tree)
}

/** Labels of a file go before those of the spec. */
function withLabels(spec: Spec, labels: readonly string[] | null): Spec {
  if (labels === null) return spec
  const labelMap = Object.fromEntries(labels.map((name, index) => [name, index]))
  return { ...spec, dataset: { ...spec.dataset, label_map: labelMap } }
}

function namesOf(
  spec: Spec,
  labels: readonly string[] | null,
  saved: JsonValue | undefined,
  path: string,
): string[] {
  const given = labels ?? (spec.dataset.label_map === null ? null : classNamesOf(spec.dataset.label_map))
  const own =
    typeof saved === 'object' && saved !== null && !Array.isArray(saved)
      ? classNamesOf(saved as Record<string, number>)
      : null
  if (given !== null && own !== null && given.join('\0') !== own.join('\0')) {
    if ([...given].sort().join('\0') === [...own].sort().join('\0')) {
      throw new KineoError(
        'input',
        `The labels stand in another order than in the model (${own.join(', ')})`,
        {
          where: path,
          remedy: 'Leave the labels out: the model knows its own',
        },
      )
    }
  }
  const names = given ?? own
  if (names !== null) return [...names]
  throw new KineoError('usage', 'The model does not name its classes', {
    where: path,
    remedy: 'Add --labels FILE with one name a line, in the order of training',
  })
}

function settingsOf(spec: Spec): Pick<PredictionModel, 'window' | 'transform'> {
  const { model } = spec
  const transform = evaluationTransform(spec)
  checkTransform(transform, model.model_type)
  return {
    window: {
      modelType: model.model_type,
      rgbSequenceLength: model.rgb_seq_length,
      ofSequenceLength: model.of_seq_length,
      sampleRate: model.sample_strategy === 'consecutive' ? model.sample_rate : 1,
    },
    transform,
  }
}

function generalNotes(spec: Spec, knowsPreprocessing: boolean, knowsFrames: boolean): string[] {
  const { model, dataset } = spec
  const notes: string[] = []
  if (!knowsPreprocessing) {
    const crop = dataset.augmentation_config.val_center_crop ? 'center crop' : 'whole frame'
    notes.push(
      `The model does not say how its frames were made. Taken as: ${crop}, ${model.input_width}x${model.input_height}, every ${model.sample_rate === 1 ? '' : `${model.sample_rate}th `}frame, TAO's mean and std. Give its spec with -e, or keys such as model.sample_rate=2, if that is wrong.`,
    )
  }
  if (model.sample_strategy !== 'consecutive') {
    notes.push(
      'The model was trained on frames spread over whole videos (random_interval). A window takes frames in a row; model.sample_strategy=consecutive with model.sample_rate=N makes windows as long as an action.',
    )
  }
  if (!knowsFrames && model.model_type !== 'rgb') {
    notes.push('How the flow of training was made is not known: it is computed on frames of full size.')
  }
  return notes
}

/** The metadata of a model; values that are JSON are read, others are text. */
function jsonValues(metadata: Readonly<Record<string, string>>): Record<string, JsonValue> {
  return Object.fromEntries(
    Object.entries(metadata).map(([key, value]) => {
      try {
        return [key, JSON.parse(value) as JsonValue]
      } catch {
        return [key, value]
      }
    }),
  )
}

function merged(below: Tree, above: Tree): Tree {
  const source = (tree: Tree): SpecSource => ({ tree, places: new Map() })
  return mergeSources(source(below), source(above), []).tree
}
