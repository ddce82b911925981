// Where an answer goes: stdout or a file, as text, JSON, CSV or Markdown. Files are written beside their place and
// renamed, so that none is ever half there.
import { accessSync, constants, realpathSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, extname, resolve } from 'node:path'
import type { Answer } from './answer.ts'
import { FileError, fileReason, UsageError } from './errors.ts'
import { word } from './options.ts'

export const outputFormats = ['text', 'json', 'csv', 'markdown'] as const
export type OutputFormat = (typeof outputFormats)[number]

export interface OutputFlags {
  readonly json?: true | undefined
  readonly csv?: true | undefined
  readonly markdown?: true | undefined
  readonly out?: string | undefined
}

/** The flags of every command that prints an answer. */
export const outputOptions = {
  json: ['--json', 'print JSON: SI units, stable keys'],
  csv: ['--csv', 'print the table as CSV: SI units'],
  markdown: ['--markdown', 'print Markdown'],
  out: ['--out <file>', 'write to FILE, in the format of its ending where no flag says', word('--out')],
} as const

const endings: Readonly<Record<string, OutputFormat>> = { '.json': 'json', '.csv': 'csv', '.md': 'markdown' }

/** The one format that the flags ask for, or the ending of `--out`. Throws UsageError where they disagree. */
export function outputFormat(flags: OutputFlags): OutputFormat {
  const asked = (['json', 'csv', 'markdown'] as const).filter((name) => flags[name])
  if (asked.length > 1) {
    throw new UsageError(
      `expected one of --json, --csv and --markdown, got ${asked.map((name) => `--${name}`).join(' and ')}`,
    )
  }
  return asked[0] ?? endings[extname(flags.out ?? '').toLowerCase()] ?? 'text'
}

/** Checks the flags before any work is done: formats that disagree, places that cannot be written. */
export function checkOutput(flags: OutputFlags & { readonly plot?: string | undefined }): void {
  outputFormat(flags)
  const files = [flags.out, flags.plot].filter((path) => path !== undefined)
  if (files.length === 2 && resolve(files[0] as string) === resolve(files[1] as string)) {
    throw new UsageError(`expected two files, got ${files[0]} for both --out and --plot`)
  }
  for (const path of files) checkWritable(path)
}

/** Prints the answer as the flags ask. */
export async function print(answer: Answer, flags: OutputFlags): Promise<void> {
  const text = await rendered(answer, outputFormat(flags), flags.out === undefined)
  if (flags.out === undefined) process.stdout.write(text)
  else writeWhole(flags.out, text)
}

async function rendered(answer: Answer, format: OutputFormat, toTerminal: boolean): Promise<string> {
  if (format === 'json') return `${JSON.stringify(answer.json, null, 2)}\n`
  const view = await answer.view()
  if (format === 'csv') return (await import('./table.ts')).csv(view.table)
  const { markdownView, textView } = await import('./answer.ts')
  if (format === 'markdown') return markdownView(view)
  const { columns, noStyles, stylesFor } = await import('./terminal.ts')
  return textView(view, toTerminal ? columns() : 80, toTerminal ? stylesFor(process.stdout) : noStyles)
}

/** Throws FileError where no file could be written at `path`. */
export function checkWritable(path: string): void {
  try {
    const target = destination(path)
    accessSync(target.kind === 'device' ? target.path : dirname(target.path), constants.W_OK)
  } catch (error) {
    throw unwritable(path, error)
  }
}

/** Writes the whole file or leaves everything as it was. Throws FileError. */
export function writeWhole(path: string, content: string | Uint8Array): void {
  try {
    const target = destination(path)
    // A device or a pipe cannot be replaced: it is written to.
    if (target.kind === 'device') writeFileSync(target.path, content)
    else replace(target.path, content)
  } catch (error) {
    throw unwritable(path, error)
  }
}

function replace(path: string, content: string | Uint8Array): void {
  const beside = `${path}.${process.pid}.tmp`
  try {
    writeFileSync(beside, content)
    renameSync(beside, path)
  } catch (error) {
    rmSync(beside, { force: true })
    throw error
  }
}

/** What stands at a path, through links; throws where it is a folder. */
function destination(path: string): { kind: 'file' | 'device'; path: string } {
  const stat = statSync(path, { throwIfNoEntry: false })
  if (stat === undefined) return { kind: 'file', path }
  if (stat.isDirectory()) throw new FileError('it is a folder')
  return stat.isFile() ? { kind: 'file', path: realpathSync(path) } : { kind: 'device', path }
}

function unwritable(path: string, error: unknown): FileError {
  const reason = error instanceof FileError ? error.message : fileReason(error)
  return new FileError(`cannot write ${path}: ${reason}`)
}
