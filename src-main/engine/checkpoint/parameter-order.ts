/** Modules and tensors of a residual network in the order in which TAO's (and torchvision's) code registers them. */
const registered = [
  ...['model_rgb', 'model_of', 'conv1', 'bn1', 'conv2', 'bn2', 'conv3', 'bn3', 'downsample'],
  ...['layer1', 'layer2', 'layer3', 'layer4', 'fc_cls', 'fc1', 'fc2'],
  ...['weight', 'bias', 'running_mean', 'running_var', 'num_batches_tracked'],
]
const ranks: ReadonlyMap<string, number> = new Map(registered.map((name, rank) => [name, rank]))

/** Names in the order of torch's `state_dict()`; names of modules that it does not know stay behind, as they came. */
export function inTorchOrder(names: Iterable<string>): string[] {
  return [...names].sort((left, right) => {
    const a = left.split('.')
    const b = right.split('.')
    for (let i = 0; i < Math.min(a.length, b.length); i++) {
      const difference = rankOf(a[i] ?? '') - rankOf(b[i] ?? '')
      if (difference !== 0) return difference
    }
    return a.length - b.length
  })
}

/** True for what an optimizer updates; false for the buffers of a BatchNorm. */
export function isWeight(name: string): boolean {
  return !/(^|\.)(running_mean|running_var|num_batches_tracked)$/.test(name)
}

/**
 * A tensor's name without what wrappers put before it: `model.` (a LightningModule that holds the network), `module.`
 * (DistributedDataParallel), `_orig_mod.` (torch.compile), in any number.
 */
export function withoutWrappers(name: string): string {
  return name.replace(/^(?:(?:model|module|_orig_mod)\.)+/, '')
}

function rankOf(part: string): number {
  if (/^\d+$/.test(part)) return Number(part)
  return ranks.get(part) ?? registered.length
}
