import { KineoError } from '../../core/errors.ts'
import { cutVideo, type CutOptions, type CutReport } from '../../tasks/cut-video.ts'
import type { Command } from '../command.ts'
import { longWorkHooks } from '../long-work.ts'
import { readOptions } from '../read-options.ts'
import type { Terminal } from '../terminal.ts'

export const cutCommand: Command = {
  name: 'cut',
  help: `Usage: kineo cut VIDEO SEGMENTS --out DIR [options]

Cuts VIDEO into the clips that SEGMENTS lists, each into the folder of its class:
  DIR/<class>/<name of the video>_<first>-<last>.mp4
A clip has every frame from first to last, both included and counted from 0, and no other. Unchanged clips are not cut
again; Ctrl-C leaves whole clips only, and started again it goes on.

SEGMENTS is one of
  a table class,first_frame,last_frame, or the same as JSON
  a CSV of LosslessCut (start,end,name in seconds)
  a file of ELAN (.eaf) or its tab-delimited text
  tabular or aggregated events of BORIS as CSV

Options:
  --out DIR              folder of the clips
  --keyframes            copy instead of encoding: quick, but a clip begins at the key frame before its range and may
                         end later; what came out is told clip by clip
  --audio                take the sound along
  --lossless             keep every picture to the bit, in larger files that not every player opens
  --force                cut unchanged clips again, and replace files that Kineo did not make
  --write-segments FILE  write the usable segments as .csv, .json, .llc.csv (LosslessCut), .eaf or .txt (ELAN) or
                         .boris.csv; without --out nothing is cut

Examples:
  kineo cut day.mp4 day.csv --out clips
  kineo cut day.mp4 day.eaf --write-segments day.csv
`,
  async run(args, { terminal, signal }) {
    const options = readArguments(args)
    const report = await cutVideo(options, {
      ...longWorkHooks(terminal, signal),
      onClip: (clip) => terminal.event('clip', clip),
    })
    printReport(report, options, terminal)
    terminal.event('result', report)
    const usable = report.output === null ? report.frameCount > 0 : report.written + report.unchanged > 0
    return usable && report.failed === 0 && report.problems.length === 0 ? 0 : 1
  },
}

function readArguments(args: string[]): CutOptions {
  const text = { type: 'string' } as const
  const flag = { type: 'boolean' } as const
  const { values, positionals } = readOptions('cut', args, {
    ...{ out: text, keyframes: flag, audio: flag, lossless: flag, force: flag, 'write-segments': text },
  })
  const [video, segments, ...more] = positionals
  if (video === undefined) throw new KineoError('usage', 'VIDEO is missing', usageRemedy)
  if (segments === undefined)
    throw new KineoError('usage', 'SEGMENTS is missing: a list of segments', usageRemedy)
  if (more.length > 0) {
    throw new KineoError('usage', `One video at a time, not also ${more.join(', ')}`, usageRemedy)
  }
  return {
    video,
    segments,
    output: values.out ?? null,
    keyframes: values.keyframes ?? false,
    audio: values.audio ?? false,
    lossless: values.lossless ?? false,
    force: values.force ?? false,
    writeSegments: values['write-segments'],
  }
}

const usageRemedy = { remedy: 'See kineo cut --help' }

function printReport(report: CutReport, options: CutOptions, terminal: Terminal): void {
  const { clips, written, unchanged, problems, output } = report
  if (options.keyframes) {
    for (const { firstFrame, lastFrame, path, trueCut } of clips) {
      if (trueCut === null) continue
      const exact = trueCut.firstFrame === firstFrame && trueCut.lastFrame === lastFrame
      terminal.line(
        `${path}: frames ${trueCut.firstFrame} to ${trueCut.lastFrame}${exact ? '' : `, asked for ${firstFrame} to ${lastFrame}`}`,
      )
    }
  }
  const failed = clips.filter(({ status }) => status === 'failed')
  const refused = [...problems, ...failed.map(({ line, reason }) => ({ line, reason: reason ?? 'not cut' }))]
  if (refused.length > 0) {
    terminal.warn(`${refused.length} of the list cannot be used:`)
    for (const { line, reason } of refused.toSorted((a, b) => a.line - b.line)) {
      terminal.warn(`  line ${line}: ${reason}`)
    }
  }
  if (options.writeSegments !== undefined) terminal.line(`List: ${options.writeSegments}`)
  if (output === null) return
  if (written + unchanged === 0) {
    terminal.warn('No clip was cut')
    return
  }
  const counts = [`${written} written`, ...(unchanged > 0 ? [`${unchanged} unchanged`] : [])]
  terminal.line(`Clips: ${counts.join(', ')} in ${report.seconds.toFixed(1)} s\nFolder: ${output}`)
}
