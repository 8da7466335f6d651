import type { Spec } from '../../spec/index.ts'

/**
 * Learning rate of an epoch under `MultiStep`, as torch's MultiStepLR stepped once an epoch: `lr` times `lr_decay`
 * for every entry of `lr_steps` that is reached; an entry that stands there twice counts twice.
 * @param epoch From 0.
 */
export function learningRateAt(optim: Spec['train']['optim'], epoch: number): number {
  return optim.lr_steps.filter((step) => step <= epoch).reduce((rate) => rate * optim.lr_decay, optim.lr)
}
