export { JobQueue } from './job-queue.ts'
export type { JobQueueOptions } from './job-queue.ts'
export { startWorkerProcess, workerLog } from './worker-process.ts'
export type { StartWorker, WorkerEnd, WorkerProcess } from './worker-process.ts'
