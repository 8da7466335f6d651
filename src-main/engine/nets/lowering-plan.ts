import { operations } from '../autodiff/operations.ts'
import { actionRecognitionNet } from './action-recognition-net.ts'
import type { Layers } from './layers.ts'
import { networkInput, type NetworkConfig } from './network.ts'

/** `auto` takes for each convolution what is fastest; the others take one kind wherever it exists. */
export type LoweringChoice = 'auto' | 'plain' | 'winograd'

/** Name of the lowering of each convolution, by the convolution's name. */
export type LoweringPlan = ReadonlyMap<string, string>

/** Chooses a lowering for every convolution of a network. */
export function planLowerings(network: NetworkConfig, batch: number, choice: LoweringChoice): LoweringPlan {
  const plan = new Map<string, string>()
  const layers: Layers<readonly number[]> = {
    convolution: (x, name, layer) => {
      const weight = [layer.outChannels, x[1] ?? 1, ...layer.kernel]
      const usable = operations.convolution.lowerings.filter(
        (way) => way.supports?.([x, weight], layer) ?? true,
      )
      plan.set(name, choice === 'plain' ? 'plain' : (usable.at(-1)?.name ?? 'plain'))
      return operations.convolution.shape([x, weight], layer)
    },
    batchNorm: (x) => x,
    activation: (x) => x,
    add: (x) => x,
    maxPool: (x, window) => operations.maxPool.shape([x], window),
    globalAveragePool: (x) => operations.globalAveragePool.shape([x], {}),
    dropout: (x) => x,
    linear: (x, _name, outFeatures) => [x[0] ?? 1, outFeatures],
    concat: (values) => operations.concat.shape(values, {}),
  }
  actionRecognitionNet(layers, (stream) => networkInput(network, stream, batch).shape, network)
  return plan
}
