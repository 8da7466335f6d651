import type { Run } from '../../../src-main/api/contract/index.ts'
import { modelInputs } from './model-inputs.ts'

export type Language = 'python' | 'node'

/** A few lines that run the exported model: names and shapes are those of this run. */
export function usageCode(language: Language, run: Run): string {
  const file = 'model.onnx'
  const inputs = modelInputs(run.settings)
  if (language === 'python') {
    return [
      'import numpy, onnxruntime',
      '',
      `session = onnxruntime.InferenceSession("${file}")`,
      'labels = open("labels.txt").read().strip().split(";")',
      'clip = {',
      ...inputs.map(
        ({ name, sizes }) => `    "${name}": numpy.zeros((1, ${sizes.join(', ')}), numpy.float32),`,
      ),
      '}',
      'scores = session.run(["fc_pred"], clip)[0]',
      'print(labels[scores[0].argmax()])',
    ].join('\n')
  }
  return [
    "import { readFileSync } from 'node:fs'",
    "import ort from 'onnxruntime-node'",
    '',
    `const session = await ort.InferenceSession.create('${file}')`,
    'const zeros = (...shape) =>',
    "  new ort.Tensor('float32', new Float32Array(shape.reduce((a, b) => a * b)), shape)",
    'const { fc_pred } = await session.run({',
    ...inputs.map(({ name, sizes }) => `  ${name}: zeros(1, ${sizes.join(', ')}),`),
    '})',
    'const best = fc_pred.data.indexOf(Math.max(...fc_pred.data))',
    "console.log(readFileSync('labels.txt', 'utf8').trim().split(';')[best])",
  ].join('\n')
}
