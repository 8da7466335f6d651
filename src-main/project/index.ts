export type { FoundClip, PreparedClip, ProbedClip } from './clip-table.ts'
export {
  canonicalFolder,
  freeProjectFolder,
  kineoHome,
  projectOfSource,
  recentProjects,
  rememberProject,
} from './home.ts'
export type { RecentProject } from './home.ts'
export type { NewJob } from './job-table.ts'
export { Project } from './project.ts'
export { isPrepared, isReadyFor } from './readiness.ts'
export type * from './records.ts'
export { WorkerLock } from './worker-lock.ts'
