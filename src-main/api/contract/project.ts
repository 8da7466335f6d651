import { oc } from '@orpc/contract'
import { z } from 'zod'

/** What the first page and the settings line show about this machine. */
export const appInfo = z.object({
  version: z.string(),
  host: z.enum(['desktop', 'browser']),
  cpuCount: z.number().int(),
  /** Version of the ffmpeg in use, or null when none can be run. */
  ffmpegVersion: z.string().nullable(),
  /** Device that training will use, in words, such as `CPU, 2 threads`. */
  device: z.string(),
  /** Folder in which the folder chooser starts. */
  homeFolder: z.string(),
  recentProjects: z.array(z.object({ name: z.string(), folder: z.string(), openedAt: z.string() })),
})
export type AppInfo = z.infer<typeof appInfo>

export const folderListing = z.object({
  path: z.string(),
  parent: z.string().nullable(),
  folders: z.array(
    z.object({
      name: z.string(),
      path: z.string(),
    }),
  ),
  videoCount: z.number().int(),
  /** What Kineo would make of this folder, in words, or null when it holds nothing to open. */
  verdict: z.string().nullable(),
})
export type FolderListing = z.infer<typeof folderListing>

export const split = z.enum(['train', 'val'])
export type Split = z.infer<typeof split>

export const actionClass = z.object({
  /** Index in the label map, from 0; also decides colour and pattern. */
  index: z.number().int(),
  name: z.string(),
  /** All clips of the class, those that cannot be used, too. */
  clips: z.number().int(),
  /** Clips that can be used, as far as is known. */
  trainClips: z.number().int(),
  valClips: z.number().int(),
})
export type ActionClass = z.infer<typeof actionClass>

export const clip = z.object({
  id: z.number().int(),
  name: z.string(),
  className: z.string(),
  split,
  width: z.number().int().nullable(),
  height: z.number().int().nullable(),
  durationSeconds: z.number().nullable(),
  /** Decoded frames; known after Prepare. */
  frameCount: z.number().int().nullable(),
  prepared: z.boolean(),
  /** Why the clip cannot be used, or null. */
  problem: z.string().nullable(),
  /** Address of a file that Chromium plays (a proxy where the original does not play). */
  mediaUrl: z.string(),
  thumbnailUrl: z.string(),
})
export type Clip = z.infer<typeof clip>

/** How far the project is; every screen's verdict is made from it. */
export const projectState = z.object({
  name: z.string(),
  folder: z.string(),
  /** The folder of class-named videos or the TAO dataset that was opened; the sample has its clips inside the project. */
  sourceFolder: z.string(),
  kind: z.enum(['videos', 'tao-dataset']),
  classes: z.array(actionClass),
  clipCount: z.number().int(),
  brokenClipCount: z.number().int(),
  /** Clips of which nobody knows yet whether they can be used. */
  unreadClipCount: z.number().int(),
  preparedClipCount: z.number().int(),
  /** Whether prepared clips carry optical flow. */
  hasFlow: z.boolean(),
  hasRgb: z.boolean(),
  datasetBytes: z.number().nullable(),
})
export type ProjectState = z.infer<typeof projectState>

export const projectContract = {
  app: {
    info: oc.output(appInfo),
  },
  files: {
    /** Lists one folder of the machine the host runs on, for the folder chooser. */
    list: oc.input(z.object({ path: z.string().nullable() })).output(folderListing),
    /** The system's own folder dialog; null when cancelled or when the host has none. */
    chooseFolder: oc.output(z.object({ path: z.string().nullable(), available: z.boolean() })),
    /** Opens a folder of this project in the file manager; false when the host cannot. */
    reveal: oc.input(z.object({ path: z.string() })).output(z.object({ opened: z.boolean() })),
  },
  project: {
    /** The open project, or null. */
    state: oc.output(projectState.nullable()),
    open: oc.input(z.object({ folder: z.string() })).output(projectState),
    /** Renders the sample clips if they are not there yet (a few seconds) and opens them as a project. */
    openSample: oc.output(projectState),
    close: oc.output(z.null()),
    clips: oc.output(z.array(clip)),
  },
}
