import { dirname, join } from 'node:path'
import { writeJsonAtomic } from '../core/atomic-file.ts'
import { exportModel } from '../tasks/index.ts'
import type { JobRunner } from './job-context.ts'
import { runOf, specOfRun } from './job-context.ts'

/** Writes `runs/<n>/export/`: model.onnx, labels.txt, label_map.json. An older export of the same run is replaced. */
export const exportJob: JobRunner = async (context) => {
  const { project, signal, onProgress, onLine } = context
  const run = runOf(context)
  const resultsFolder = project.runFolder(run.id)
  const dataset = join(resultsFolder, 'dataset')
  const paths = { trainFolder: join(dataset, 'train'), valFolder: join(dataset, 'val'), resultsFolder }
  const spec = specOfRun(run, paths)
  const report = await exportModel(spec, { force: true }, { signal, onProgress, onLine })
  const labelMap = Object.fromEntries(report.classNames.map((name, index) => [name, index]))
  await writeJsonAtomic(join(dirname(report.onnxFile), 'label_map.json'), labelMap)
  return null
}
