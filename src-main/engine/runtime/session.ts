import { availableParallelism } from 'node:os'
import { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node'
import { KineoError } from '../../core/errors.ts'
import type { StreamInputs } from '../../core/streams.ts'
import { networkInputs, type NetworkConfig } from '../nets/network.ts'
import { elementCount } from '../onnx/shape-inference.ts'

/**
 * From version 1.30 ONNX Runtime reports its use to Microsoft and leaves a device identifier in the home folder, unless
 * this is set before the first session. What people do with Kineo stays on their machine.
 */
process.env['ORT_DISABLE_TELEMETRY'] = '1'

/** Tensors by name, as ONNX Runtime takes and gives them. */
export type Feeds = Record<string, OrtTensor>

/** Threads for one session: as asked for, otherwise all of the machine. */
export function threadCount(threads: number | undefined): number {
  return Math.max(1, threads ?? availableParallelism())
}

/**
 * Opens a model on the CPU.
 * @throws KineoError `machine` when ONNX Runtime refuses, for lack of memory for example.
 */
export async function openSession(model: Uint8Array, threads: number | undefined): Promise<InferenceSession> {
  try {
    return await InferenceSession.create(model, {
      intraOpNumThreads: threadCount(threads),
      interOpNumThreads: 1,
      executionMode: 'sequential',
      // Planning one block for all values of a step costs 0.7 GB more at no gain in time.
      enableMemPattern: false,
      // Waiting threads spin during a run, which makes it a quarter faster; between runs the workers that load clips
      // have the processor for themselves.
      extra: { session: { force_spinning_stop: '1' } },
      logSeverityLevel: 3,
    })
  } catch (error) {
    throw new KineoError('machine', 'ONNX Runtime cannot open the model', {
      remedy: 'Close other programs or choose a smaller batch size, and try again',
      cause: error,
    })
  }
}

export function float32Tensor(data: Float32Array, shape: readonly number[]): OrtTensor {
  return new OrtTensor('float32', data, shape)
}

/**
 * The clips of every stream of a network as its inputs; what stands behind `count` clips is not read.
 * @throws KineoError `input` when a stream is missing or too short.
 */
export function inputFeeds(network: NetworkConfig, inputs: StreamInputs, count: number): Feeds {
  const feeds: Feeds = {}
  for (const { stream, name, shape } of networkInputs(network, count)) {
    const data = inputs[stream]
    const size = elementCount(shape)
    if (data === undefined) throw new KineoError('input', `The batch has no clips for ${name}`)
    if (data.length < size) {
      throw new KineoError('input', `A batch of ${count} clips is too short`, {
        where: `${data.length} values of ${size} for ${name}`,
      })
    }
    feeds[name] = float32Tensor(data.subarray(0, size), shape)
  }
  return feeds
}

/** Content of a float32 result. */
export function float32Data(tensor: OrtTensor | undefined): Float32Array {
  if (!(tensor?.data instanceof Float32Array)) throw new Error('the result is no float32 tensor')
  return tensor.data
}

export type { InferenceSession, OrtTensor }
