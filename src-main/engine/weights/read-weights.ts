import { z } from 'zod'
import { KineoError } from '../../core/errors.ts'
import { withBytes, type ByteSource, type ReadOptions } from '../checkpoint/byte-source.ts'
import { readCheckpointBytes } from '../checkpoint/read-checkpoint.ts'
import { isTorchFile } from '../checkpoint/torch-file.ts'
import type { TensorMap } from '../tensor.ts'
import { readOnnxWeights } from './onnx-weights.ts'
import { isSafetensors, readSafetensors } from './safetensors.ts'

export interface Weights {
  /** By torch's names, without the prefixes of wrappers (`model.`, `module.`); float32, whole numbers int64. */
  tensors: TensorMap
  /** Known for files that Kineo wrote. */
  classNames?: string[]
  format: 'kineo' | 'tao' | 'torch' | 'onnx' | 'safetensors'
  /** What a person should know of how they were read, as sentences. */
  notes: string[]
}

/**
 * Reads the weights of a network from a `.pth` (torchvision's or any state dict, TAO's unencrypted, Kineo's), an ONNX
 * model or a safetensors file, told apart by their content. Nothing in a file is run.
 * @throws KineoError (input) when the file is missing, damaged, encrypted without its key, by TAO, or of another kind.
 */
export async function readWeights(path: string, options: ReadOptions = {}): Promise<Weights> {
  return await withBytes(path, options, async (source) => {
    const start = await source.read(0, 16)
    if (isTorchFile(start)) return await readTorch(source, path)
    if (isSafetensors(start, source.size)) {
      return { tensors: await readSafetensors(source, path), format: 'safetensors', notes: [] }
    }
    const isTorchName = /\.(pth?|e?tlt|ckpt|tar)$/i.test(path)
    // Most writers begin with field 1 of a ModelProto, its version.
    const isOnnx = start.length > 0 && (/\.onnx$/i.test(path) || (start[0] === 0x08 && !isTorchName))
    if (isOnnx) return await readOnnx(source, path)
    if (isTorchName) return await readTorch(source, path)
    throw new KineoError('input', 'The file holds no weights that Kineo can read', {
      where: path,
      remedy:
        'Give a .pth of PyTorch, torchvision, TAO (unencrypted) or Kineo, an .onnx model, or a .safetensors file',
    })
  })
}

async function readTorch(source: ByteSource, path: string): Promise<Weights> {
  const { checkpoint, origin } = await readCheckpointBytes(source, path, { momentum: false })
  const { parameters, classNames } = checkpoint
  return {
    tensors: parameters,
    ...(classNames === undefined ? {} : { classNames }),
    format: origin,
    notes: [],
  }
}

async function readOnnx(source: ByteSource, path: string): Promise<Weights> {
  const { tensors, metadata, unfolded } = await readOnnxWeights(source, path)
  const classNames = namesByIndex(metadata['label_map'])
  const notes =
    unfolded.length === 0
      ? []
      : [
          `The batch normalisations of ${unfolded.length} convolutions were folded into them when the ONNX model was exported. ` +
            'They start with scale 1 in training; a .pth keeps the scales.',
        ]
  return { tensors, ...(classNames === undefined ? {} : { classNames }), format: 'onnx', notes }
}

/** The `label_map` that Kineo writes into a model: class names to indices, as JSON. */
function namesByIndex(text: string | undefined): string[] | undefined {
  if (text === undefined) return undefined
  try {
    const indices = z.record(z.string(), z.int().min(0)).parse(JSON.parse(text))
    const names = Object.entries(indices).toSorted(([, a], [, b]) => a - b)
    return names.every(([, index], i) => index === i) ? names.map(([name]) => name) : undefined
  } catch {
    return undefined
  }
}
