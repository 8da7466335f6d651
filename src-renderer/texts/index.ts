import { english } from './en.ts'

/** The one place that components take words from. Another language is another object of this type. */
export const texts: typeof english = english
