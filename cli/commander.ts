// Commander with the types of its extra typings. It is CommonJS: required, it loads in less time than imported, and the
// typings are not loaded at all.
import { createRequire } from 'node:module'

export type { CommandUnknownOpts } from '@commander-js/extra-typings'

type Commander = typeof import('@commander-js/extra-typings')

export const { Command, CommanderError } = createRequire(import.meta.url)('commander') as Commander
