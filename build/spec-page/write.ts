import { readFileSync, writeFileSync } from 'node:fs'
import { specPage, specPagePath } from './spec-page.ts'

/** Writes docs/spec.md from the schema; with `--check` it only tells, by its exit code, whether it is up to date. */
const page = specPage()
if (!process.argv.includes('--check')) {
  writeFileSync(specPagePath, page)
} else if (readFileSync(specPagePath, 'utf8') !== page) {
  process.stderr.write('docs/spec.md is older than the schema of src-main/spec: run npm run docs:spec\n')
  process.exitCode = 1
}
