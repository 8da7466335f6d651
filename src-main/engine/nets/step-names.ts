/** Names of a step's inputs and outputs beside the state and the clip itself. */
export const stepNames = {
  target: 'target',
  learningRate: 'learning_rate',
  momentum: 'momentum',
  weightDecay: 'weight_decay',
  maxNorm: 'max_norm',
  samples: 'samples',
  loss: 'loss',
  logits: 'logits',
  gradNorm: 'grad_norm',
} as const

/** Name of the output that holds the new value of a state tensor. */
export function nextName(name: string): string {
  return `${name}.next`
}

/** Name of the momentum of a weight. */
export function momentumName(name: string): string {
  return `${name}.momentum`
}

/** Name of the output that holds the gradient of a weight. */
export function gradientName(name: string): string {
  return `${name}.gradient`
}

/** Name of the sum of a weight's gradients over several batches. */
export function accumulatedName(name: string): string {
  return `${name}.accumulated`
}
