import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { dirname, extname, join, resolve } from 'node:path'
import { writeFileAtomic } from '../../core/atomic-file.ts'
import { encryptBytes } from '../../core/encryption.ts'
import { KineoError } from '../../core/errors.ts'
import { streamsOf } from '../../core/streams.ts'
import { version } from '../../core/version.ts'
import { buildInferenceModel } from '../../engine/index.ts'
import type { Spec } from '../../spec/index.ts'
import type { TaskHooks } from '../hooks.ts'
import { openTrainedNetwork } from '../network/open-checkpoint.ts'
import { preprocessingOf } from '../network/preprocessing.ts'
import { requireValue } from '../required-keys.ts'
import { withStatusLog } from '../status-log.ts'

export interface ExportReport {
  /** The ONNX file, absolute. */
  onnxFile: string
  /** The class names, absolute. */
  labelsFile: string
  classNames: string[]
  /** Size of the ONNX file. */
  bytes: number
  /** True when only the `encryption_key` opens it. */
  encrypted: boolean
}

export interface ExportOptions {
  /** Overwrite files that are there. */
  force?: boolean
  /** Write plain ONNX although the spec has an `encryption_key`, which then only opens the checkpoint. */
  unencrypted?: boolean
}

/**
 * Writes the ONNX file of a checkpoint (inputs `input_rgb` and `input_of` as the network has them, output `fc_pred` =
 * logits, opset 17, dynamic batch) with label map and preprocessing in its metadata, encrypted when the spec has an
 * `encryption_key`; and `labels.txt` beside it: the class names on one line, separated by `;`, as DeepStream's classifier
 * reads them.
 *
 * @throws KineoError (output) when a file is there already and `force` is off.
 */
export async function exportModel(
  spec: Spec,
  options: ExportOptions = {},
  hooks: TaskHooks = {},
): Promise<ExportReport> {
  const path = requireValue(spec.export.checkpoint, 'export.checkpoint', 'results/train/ar_model_latest.pth')
  const onnxFile = resolve(spec.export.onnx_file ?? withoutExtension(path) + '.onnx')
  const labelsFile = join(dirname(onnxFile), 'labels.txt')
  return await withStatusLog(spec, 'export', async () => {
    const force = options.force ?? false
    if (!force && existsSync(onnxFile)) throw alreadyThere(onnxFile)
    const { checkpoint, network, classNames } = await openTrainedNetwork(path, spec, hooks)
    const labels = `${classNames.join(';')}\n`
    // Another model of the same classes may share the file.
    const oldLabels = existsSync(labelsFile) ? await readFile(labelsFile, 'utf8') : null
    if (!force && oldLabels !== null && oldLabels !== labels) throw alreadyThere(labelsFile)
    if (classNames.some((name) => /[;\r\n]/.test(name))) {
      hooks.onLine?.(
        'A class name has a semicolon or a line end: labels.txt cannot tell it apart from two names.',
      )
    }
    const model = buildInferenceModel(network, checkpoint.parameters, modelMetadata(spec, classNames))
    const key = options.unencrypted === true ? null : spec.encryption_key
    const content = key === null ? model : await encryptBytes(model, key)
    await writeFileAtomic(onnxFile, content)
    await writeFileAtomic(labelsFile, labels)
    return { onnxFile, labelsFile, classNames, bytes: content.byteLength, encrypted: key !== null }
  })
}

/** What a program needs to know to feed the model; values that are no text are JSON. */
function modelMetadata(spec: Spec, classNames: readonly string[]): Record<string, string> {
  const preprocessing = Object.entries(preprocessingOf(spec)).map(([name, value]) => [
    name,
    typeof value === 'string' ? value : JSON.stringify(value),
  ])
  return {
    kineo_version: version,
    label_map: JSON.stringify(Object.fromEntries(classNames.map((name, index) => [name, index]))),
    ...(Object.fromEntries(preprocessing) as Record<string, string>),
    pixel_scale: '1/255',
    channel_order: `channel-major: ${streamsOf(spec.model.model_type)
      .map((stream) => (stream === 'rgb' ? 'R of all frames, then G, then B' : 'u of all frames, then v'))
      .join('; ')}`,
    output: 'logits; softmax gives probabilities',
  }
}

function alreadyThere(path: string): KineoError {
  return new KineoError('output', 'There is a file already', {
    where: path,
    remedy: 'Give another export.onnx_file, or overwrite it with --force',
  })
}

function withoutExtension(path: string): string {
  return path.slice(0, path.length - extname(path).length)
}
