import { first } from './001-first.ts'
import { runSpec } from './002-run-spec.ts'

/**
 * Migrations in order; number n of `PRAGMA user_version` means that the first n have run. A migration that has
 * left the house is never edited: append another file.
 */
export const migrations: readonly string[] = [first, runSpec]
