/** The sentence a screen begins with: what is the case, and what to do, if anything. */
export interface Verdict {
  tone: 'ok' | 'info' | 'warn' | 'bad'
  title: string
  body: string
}
