import type { Run } from '../../../src-main/api/contract/index.ts'

export type Language = 'python' | 'node'

/** A few lines that run the exported model: names and shapes are those of this run. */
export function usageCode(language: Language, run: Run): string {
  const file = 'model.onnx'
  const { frames, size, modelType } = run.settings
  const input = modelType === 'of' ? 'input_of' : 'input_rgb'
  const channels = frames * (modelType === 'of' ? 2 : 3)
  if (language === 'python') {
    return [
      'import numpy, onnxruntime',
      '',
      `session = onnxruntime.InferenceSession("${file}")`,
      'labels = open("labels.txt").read().strip().split(";")',
      `clip = numpy.zeros((1, ${channels}, ${size}, ${size}), numpy.float32)`,
      `scores = session.run(["fc_pred"], {"${input}": clip})[0]`,
      'print(labels[scores[0].argmax()])',
    ].join('\n')
  }
  return [
    "import { readFileSync } from 'node:fs'",
    "import ort from 'onnxruntime-node'",
    '',
    `const session = await ort.InferenceSession.create('${file}')`,
    `const shape = [1, ${channels}, ${size}, ${size}]`,
    'const clip = new Float32Array(shape.reduce((a, b) => a * b))',
    `const { fc_pred } = await session.run({ ${input}: new ort.Tensor('float32', clip, shape) })`,
    'const best = fc_pred.data.indexOf(Math.max(...fc_pred.data))',
    "console.log(readFileSync('labels.txt', 'utf8').trim().split(';')[best])",
  ].join('\n')
}
