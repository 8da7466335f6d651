import { KineoError } from '../../core/errors.ts'
import type { Stream, StreamInputs } from '../../core/streams.ts'
import { elementCount } from '../onnx/shape-inference.ts'
import { modelProto } from '../onnx/schema.ts'
import { float32Data, float32Tensor, openSession, type Feeds, type InferenceSession } from './session.ts'

/** An input of a model as its file declares it. */
export interface OnnxInput {
  stream: Stream
  name: string
  /** Without the batch: [C T, H, W] or [C, T, H, W]. */
  shape: number[]
}

/** The names that TAO and Kineo give to the inputs of their exported models. */
const streamNames: ReadonlyMap<string, Stream> = new Map([
  ['input_rgb', 'rgb'],
  ['input_of', 'of'],
])

/** What protobufjs hands back of a model's metadata. */
interface DecodedMetadata {
  metadataProps?: { key?: string; value?: string }[]
}

/** An exported action recognition model as it is deployed: Kineo's or TAO's ONNX file. A run blocks its thread. */
export class OnnxClassifier {
  /** rgb before of. */
  readonly inputs: readonly OnnxInput[]
  readonly classCount: number
  /** Clips of a run where the file fixes them, or null when any number will do. */
  readonly fixedBatch: number | null
  /** The metadata properties of the file; of TAO's it is empty. */
  readonly metadata: Readonly<Record<string, string>>
  readonly #session: InferenceSession
  readonly #output: string

  private constructor(
    session: InferenceSession,
    parts: {
      inputs: OnnxInput[]
      classCount: number
      fixedBatch: number | null
      metadata: Record<string, string>
    },
  ) {
    this.#session = session
    this.#output = session.outputNames[0] ?? ''
    this.inputs = parts.inputs
    this.classCount = parts.classCount
    this.fixedBatch = parts.fixedBatch
    this.metadata = parts.metadata
  }

  /**
   * @param path Where the model comes from, for messages.
   * @throws KineoError `input` when it is no ONNX model, or one with other inputs and outputs.
   */
  static async create(model: Uint8Array, path: string, threads?: number): Promise<OnnxClassifier> {
    const metadata = metadataOf(model, path)
    const session = await openSession(model, threads).catch((error: unknown) => {
      const said = error instanceof KineoError && error.cause instanceof Error ? error.cause.message : ''
      throw new KineoError('input', `ONNX Runtime cannot open the model${said === '' ? '' : ` (${said})`}`, {
        where: path,
        remedy: 'Export it again',
        cause: error,
      })
    })
    try {
      const { inputs, fixedBatch } = readInputs(session, path)
      return new OnnxClassifier(session, {
        inputs,
        fixedBatch,
        classCount: readClassCount(session, path),
        metadata,
      })
    } catch (error) {
      await session.release()
      throw error
    }
  }

  /**
   * @param inputs The clips of every stream, each in the shape of its input.
   * @returns [count, classCount]
   */
  async logits(inputs: StreamInputs, count: number): Promise<Float32Array> {
    const batch = this.fixedBatch ?? count
    const rows = new Float32Array(count * this.classCount)
    for (let first = 0; first < count; first += batch) {
      const some = Math.min(batch, count - first)
      const feeds: Feeds = {}
      for (const { stream, name, shape } of this.inputs) {
        const size = elementCount(shape)
        const data = inputs[stream]
        if (data === undefined || data.length < (first + some) * size) {
          throw new KineoError('input', `The batch has too few clips for ${name}`)
        }
        let part = data.subarray(first * size, (first + some) * size)
        if (some < batch) {
          const padded = new Float32Array(batch * size)
          padded.set(part)
          part = padded
        }
        feeds[name] = float32Tensor(part, [batch, ...shape])
      }
      const results = await this.#session.run(feeds)
      const data = float32Data(results[this.#output])
      rows.set(data.subarray(0, some * this.classCount), first * this.classCount)
    }
    return rows
  }

  async dispose(): Promise<void> {
    await this.#session.release()
  }
}

function metadataOf(model: Uint8Array, path: string): Record<string, string> {
  try {
    const decoded = modelProto.toObject(modelProto.decode(model)) as DecodedMetadata
    return Object.fromEntries((decoded.metadataProps ?? []).map(({ key, value }) => [key ?? '', value ?? '']))
  } catch (error) {
    throw new KineoError('input', 'Cannot read the model: it is damaged or not in the ONNX format', {
      where: path,
      remedy: 'Give a .pth of Kineo or TAO, or an ONNX model that was exported from one',
      cause: error,
    })
  }
}

function readInputs(
  session: InferenceSession,
  path: string,
): { inputs: OnnxInput[]; fixedBatch: number | null } {
  const refuse = (what: string): KineoError =>
    new KineoError('input', `The model is not one of an action recognition network: ${what}`, {
      where: path,
      remedy: 'Its inputs must be input_rgb, input_of or both, as TAO and Kineo export them',
    })
  const inputs: OnnxInput[] = []
  let fixedBatch: number | null = null
  for (const input of session.inputMetadata) {
    const stream = streamNames.get(input.name)
    if (stream === undefined) throw refuse(`it has an input named ${input.name}`)
    if (!input.isTensor || input.type !== 'float32') throw refuse(`${input.name} takes no float32 numbers`)
    const [batch, ...rest] = input.shape
    const shape = rest.map((size) => (typeof size === 'number' && size > 0 ? size : 0))
    if ((shape.length !== 3 && shape.length !== 4) || shape.includes(0)) {
      throw refuse(`${input.name} has the shape [${input.shape.join(', ')}]`)
    }
    if (typeof batch === 'number' && batch > 0) fixedBatch = batch
    inputs.push({ stream, name: input.name, shape })
  }
  if (inputs.length === 0) throw refuse('it has no input')
  inputs.sort((a, b) => (a.stream === b.stream ? 0 : a.stream === 'rgb' ? -1 : 1))
  return { inputs, fixedBatch }
}

function readClassCount(session: InferenceSession, path: string): number {
  const [output] = session.outputMetadata
  const classes = output?.isTensor === true ? output.shape.at(-1) : undefined
  if (output?.isTensor !== true || output.shape.length !== 2 || typeof classes !== 'number' || classes < 1) {
    throw new KineoError('input', 'The output of the model is no score for each class', { where: path })
  }
  return classes
}
