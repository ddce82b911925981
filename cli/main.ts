#!/usr/bin/env node
// The command line's entry. A reader that has seen enough (`| head`) is no failure.
import { preload } from './commands.ts'

const args = process.argv.slice(2)
preload(args[0])
const { run } = await import('./program.ts')

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0)
  process.stderr.write(`memwall: cannot write the answer: ${error.message}\n`)
  process.exit(1)
})

// A command that answers may still have failed in part, and said so.
const code = await run(args)
if (code !== 0) process.exitCode = code
