export declare const oldestNode: { major: number; minor: number }
export declare function isNodeNewEnough(version: string): boolean
export declare function electronExecutable(
  pathFile: string | null,
  override: string | undefined,
): string | null
export type HostChoice = { host: 'desktop'; electron: string } | { host: 'browser'; reason: string | null }
export declare function chooseHost(found: {
  forceBrowser: boolean
  electron: string | null
  platform: string
  env: Record<string, string | undefined>
  isRoot: boolean
}): HostChoice
