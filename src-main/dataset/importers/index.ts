/** Reading of public data sets and of people's own lists and folders, and the folder that they are imported into. */
import { listClassFolders } from './class-folders.ts'
import { listHmdb51 } from './hmdb51.ts'
import { listKinetics } from './kinetics.ts'
import type { Importer } from './listing.ts'
import { listUcf101 } from './ucf101.ts'
import { listVideoTable } from './video-table.ts'

export { ImportFolder, type Arrival, type StandingVideo } from './import-folder.ts'
export {
  countOf,
  someOf,
  type DatasetPart,
  type ListingOptions,
  type MissingVideo,
  type SourceListing,
  type SourceVideo,
} from './listing.ts'
export { divideIntoParts, limitPerClass, requireNoOtherPart, requireSameDivision } from './parts.ts'
export { classFolders, placeVideos, type PlacedVideo } from './places.ts'
export { comparable } from './source-tree.ts'

export type SourceKind = 'hmdb51' | 'ucf101' | 'kinetics' | 'csv' | 'folder'

/** One importer for each kind of source. */
export const importers: Readonly<Record<SourceKind, Importer>> = {
  hmdb51: listHmdb51,
  ucf101: listUcf101,
  kinetics: listKinetics,
  csv: listVideoTable,
  folder: listClassFolders,
}
