// Where the rows of a sweep go. A file is written beside its place as FILE.partial, with a journal FILE.partial.json that
// says after how many points it had how many bytes; whatever was written later is cut off when the sweep is resumed, so
// that no row is lost or doubled, wherever it was killed.
import { createHash } from 'node:crypto'
import {
  closeSync,
  existsSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { noTally, type Tally } from '../../simulate/whatif/row.ts'
import { FileError, fileReason, UsageError } from '../errors.ts'
import { writeWhole } from '../output.ts'

export interface Sink {
  /** Points whose rows are already there. */
  readonly begun: number
  /** What became of those. */
  readonly tally: Tally
  write(bytes: Uint8Array): Promise<void>
  /** All rows of the first `points` points are written. */
  reached(points: number, tally: Tally): void
  /** All rows are written. */
  finish(points: number, tally: Tally): void
  /** What is written so far stays as it is. */
  abandon(): void
}

/** No rows: only a chart is wanted. */
export function noSink(): Sink {
  return { begun: 0, tally: noTally(), write: async () => {}, reached() {}, finish() {}, abandon() {} }
}

/** Rows on stdout. */
export async function standardOutput(header: Uint8Array): Promise<Sink> {
  const { stdout } = process
  const write = (bytes: Uint8Array): Promise<void> =>
    stdout.write(bytes) ? Promise.resolve() : new Promise((drained) => stdout.once('drain', () => drained()))
  await write(header)
  return {
    begun: 0,
    tally: noTally(),
    write,
    reached() {},
    finish() {},
    abandon() {},
  }
}

/** A device or a pipe: written to as it is. */
export function deviceSink(path: string, header: Uint8Array): Sink {
  const fd = attempt(path, () => openSync(path, 'w'))
  attempt(path, () => writeAll(fd, header))
  return {
    begun: 0,
    tally: noTally(),
    write: async (bytes) => attempt(path, () => writeAll(fd, bytes)),
    reached() {},
    finish: () => attempt(path, () => closeSync(fd)),
    abandon: () => closeSync(fd),
  }
}

/** A file that is written at the end, at once. */
export function wholeSink(path: string, header: Uint8Array): Sink {
  const parts = [header]
  return {
    begun: 0,
    tally: noTally(),
    write: async (bytes) => {
      parts.push(bytes)
    },
    reached() {},
    finish: () => writeWhole(path, Buffer.concat(parts)),
    abandon() {},
  }
}

interface Journal {
  /** Of everything that the rows depend on. */
  readonly sweep: string
  /** The same in words, for the message where it is another. */
  readonly asked: string
  readonly points: number
  readonly bytes: number
  readonly tally: Tally
}

/** Milliseconds between two entries in the journal. */
const interval = 500

export interface FileSinkOptions {
  readonly path: string
  readonly resume: boolean
  /** Everything that the rows depend on, as text. */
  readonly identity: string
  /** The sweep as typed. */
  readonly asked: string
  readonly header: Uint8Array
}

/** A file that can be resumed. Throws FileError, and UsageError where there is an unfinished one that is not resumed. */
export function fileSink({ path, resume, identity, asked, header }: FileSinkOptions): Sink {
  const partial = `${path}.partial`
  const journalPath = `${partial}.json`
  const sweep = createHash('sha256').update(identity).digest('hex')
  const found = existsSync(journalPath) ? readJournal(journalPath) : undefined
  if (found && !resume) {
    throw new UsageError(
      `${partial}: an unfinished sweep is there; expected --resume to go on with it, or to remove it and ${journalPath}`,
    )
  }
  if (found && found.sweep !== sweep) {
    throw new FileError(`${journalPath}: expected the journal of this sweep, got that of another: ${found.asked}`)
  }
  if (found && !existsSync(partial)) return finished(path, journalPath, found)
  if (resume && !found && existsSync(path)) {
    throw new FileError(`${path}: no unfinished sweep is beside it; expected no --resume, to write it anew`)
  }
  const fd = attempt(path, () => openSync(partial, found ? 'r+' : 'w'))
  let at = found?.bytes ?? 0
  if (found && statSync(partial).size < at) {
    throw new FileError(`${partial}: expected at least the ${at} bytes of its journal, got ${statSync(partial).size}`)
  }
  const put = (bytes: Uint8Array) => {
    writeAll(fd, bytes, at)
    at += bytes.length
  }
  attempt(path, () => {
    ftruncateSync(fd, at)
    if (!found) put(header)
  })
  const note = (points: number, tally: Tally) =>
    attempt(path, () => {
      // The rows before the journal that counts them, even where the power fails.
      fsyncSync(fd)
      writeFileSync(`${journalPath}.tmp`, JSON.stringify({ sweep, asked, points, bytes: at, tally } satisfies Journal))
      renameSync(`${journalPath}.tmp`, journalPath)
    })
  let last = Number.NEGATIVE_INFINITY
  return {
    begun: found?.points ?? 0,
    tally: found?.tally ?? noTally(),
    write: async (bytes) =>
      attempt(path, () => put(bytes), `; what is written stays in ${partial}, and --resume goes on with it`),
    reached(points, tally) {
      if (performance.now() - last < interval) return
      note(points, tally)
      last = performance.now()
    },
    finish(points, tally) {
      note(points, tally)
      attempt(path, () => {
        closeSync(fd)
        renameSync(partial, path)
        rmSync(journalPath, { force: true })
      })
    },
    abandon: () => closeSync(fd),
  }
}

/** It was killed between its last two steps: the file is in its place and the journal is left. */
function finished(path: string, journalPath: string, { points, bytes, tally }: Journal): Sink {
  if (!existsSync(path) || statSync(path).size !== bytes) {
    throw new FileError(
      `${journalPath}: expected ${path}.partial beside it, got none; remove the journal to begin anew`,
    )
  }
  return {
    begun: points,
    tally,
    write: async () => {},
    reached() {},
    finish: () => attempt(path, () => rmSync(journalPath, { force: true })),
    abandon() {},
  }
}

function readJournal(path: string): Journal {
  try {
    const journal = JSON.parse(readFileSync(path, 'utf8')) as Journal
    const counts = [journal.points, journal.bytes, journal.tally.rows]
    if (typeof journal.sweep !== 'string' || !counts.every((n) => Number.isSafeInteger(n) && n >= 0)) throw new Error()
    return journal
  } catch {
    throw new FileError(`${path}: expected the journal of a sweep, got something else`)
  }
}

function writeAll(fd: number, bytes: Uint8Array, at?: number): void {
  let written = 0
  while (written < bytes.length) {
    written += writeSync(fd, bytes, written, bytes.length - written, at === undefined ? null : at + written)
  }
}

function attempt<T>(path: string, act: () => T, hint = ''): T {
  try {
    return act()
  } catch (error) {
    throw error instanceof FileError ? error : new FileError(`cannot write ${path}: ${fileReason(error)}${hint}`)
  }
}
