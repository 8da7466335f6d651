/** Something wrong in a spec, or worth knowing about it. */
export interface SpecProblem {
  /** Dotted key, or empty when it concerns the file as a whole. */
  key: string
  /** What is wrong with the key and what to do, to be read behind the key and a colon. */
  message: string
  /** Where it was written, such as `spec.yaml:12` or `override train.seed=3`; null when nowhere. */
  place: string | null
}

/** `spec.yaml:12: train.seed: must be …`, on one line, fit to print. */
export function problemLine({ key, message, place }: SpecProblem): string {
  return printable([place, key, message].filter((part) => part !== null && part !== '').join(': '))
}

/** Text from a file made fit to print: control characters, which could steer a terminal, as escapes. */
export function printable(text: string): string {
  // eslint-disable-next-line no-control-regex -- these are the characters to replace
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, (character) => {
    if (character === '\n') return '\\n'
    if (character === '\t') return '\\t'
    return `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`
  })
}
