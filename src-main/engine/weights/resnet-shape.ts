import type { Backbone } from '../nets/network.ts'

/** Blocks of each stage and the convolutions of a block, which tell the residual networks apart. */
const backbones: Readonly<Record<string, Backbone>> = {
  '2,2,2,2 of 2': 'resnet_18',
  '3,4,6,3 of 2': 'resnet_34',
  '3,4,6,3 of 3': 'resnet_50',
  '3,4,23,3 of 3': 'resnet_101',
  '3,8,36,3 of 3': 'resnet_152',
}

/**
 * The residual network that the names of tensors belong to.
 * @param prefix Stands before the names, such as `model_rgb.`.
 * @returns undefined when it is none of TAO's.
 */
export function backboneOf(names: Iterable<string>, prefix: string): Backbone | undefined {
  const blocks = [0, 0, 0, 0]
  let convolutions = 0
  for (const name of names) {
    if (!name.startsWith(prefix)) continue
    const match = /^layer([1-4])\.(\d{1,3})\.conv([123])\.weight$/.exec(name.slice(prefix.length))
    if (match === null) continue
    const stage = Number(match[1]) - 1
    blocks[stage] = Math.max(blocks[stage] ?? 0, Number(match[2]) + 1)
    convolutions = Math.max(convolutions, Number(match[3]))
  }
  return backbones[`${blocks.join()} of ${convolutions}`]
}
