// What MODEL and MACHINE mean on the command line: a name that memwall ships, a JSON file, or a folder that holds a
// config.json.
import { readFileSync, statSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { loadMachine, machineName } from '../hardware/catalog.ts'
import type { Machine } from '../hardware/machine.ts'
import type { Architecture } from '../model/architecture.ts'
import { loadModel, modelName, modelNames } from '../model/catalog.ts'
import { loadConfig } from '../model/import/read.ts'
import type { MeasuredRound } from '../simulate/speculation/rate.ts'
import { FileError, fileReason, UsageError } from './errors.ts'

/** A config of a model or a machine is some kilobytes; what is larger is something else (a checkpoint). */
const largest = 16 * 2 ** 20

/** The architecture that a name, a config.json or a folder holding one stands for. */
export async function loadModelArgument(text: string): Promise<Architecture> {
  if ((modelNames as readonly string[]).includes(text)) return loadModel(text)
  const path = fileOf(text, 'config.json')
  if (path === undefined) {
    const known = looksLikeRepository(text) && modelName(text) !== undefined
    if (looksLikePath(text) && !known) throw new UsageError(`${text}: no such file`)
    return loadModel(text)
  }
  const json = await readJson(path)
  return await inFile(() => loadConfig(json, nameOf(path)), `${path}: `)
}

/** The machine that a name, an alias or a JSON file stands for. */
export async function loadMachineArgument(text: string): Promise<Machine> {
  if (text === 'local') return localMachine()
  if (machineName(text) !== undefined && (!looksLikePath(text) || statOf(text) === undefined)) return loadMachine(text)
  const path = fileOf(text)
  if (path === undefined) {
    if (looksLikePath(text)) throw new UsageError(`${text}: no such file`)
    return loadMachine(text)
  }
  const { parseMachine } = await import('../hardware/validate.ts')
  const json = await readJson(path)
  return await inFile(() => parseMachine(json, path))
}

/** Whether `memwall calibrate` left a machine. */
export async function hasLocal(): Promise<boolean> {
  const { localPath } = await import('./local.ts')
  return statOf(localPath()) !== undefined
}

/** The machine that `memwall calibrate` left. */
async function localMachine(): Promise<Machine> {
  const { localPath } = await import('./local.ts')
  const path = localPath()
  if (statOf(path) === undefined) {
    throw new UsageError(
      'local: nothing was calibrated yet; expected `memwall calibrate` first, a machine of `memwall list machines` or a JSON file',
    )
  }
  const { parseMachine } = await import('../hardware/validate.ts')
  const json = await readJson(path)
  return inFile(() => parseMachine(json, path))
}

function looksLikePath(text: string): boolean {
  return /[/\\]/.test(text) || /\.json$/i.test(text)
}

/** `organization/name`, as model hubs write it. */
function looksLikeRepository(text: string): boolean {
  return /^[^./\\][^/\\]*\/[^/\\]+$/.test(text) && !/\.json$/i.test(text)
}

/** The file at a path, or `inside` it where it is a folder; undefined where nothing is there. */
function fileOf(path: string, inside?: string): string | undefined {
  const stat = statOf(path)
  if (stat === undefined) return undefined
  if (!stat.isDirectory()) return path
  // A folder that happens to be called like nothing we know is not meant, unless it is written as a path or has the file.
  const file = inside === undefined ? undefined : join(path, inside)
  if (file !== undefined && statOf(file)?.isDirectory() === false) return file
  if (!looksLikePath(path)) return undefined
  throw new UsageError(
    inside === undefined ? `${path}: expected a JSON file, got a folder` : `${path}: no ${inside} in this folder`,
  )
}

function statOf(path: string) {
  try {
    return statSync(path, { throwIfNoEntry: false })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENAMETOOLONG' || code === 'ERR_INVALID_ARG_VALUE') return undefined
    throw new FileError(`cannot read ${path}: ${fileReason(error)}`)
  }
}

/** A folder's own name for `config.json`, else the file's. */
function nameOf(path: string): string {
  const file = basename(path)
  const name = file === 'config.json' ? basename(dirname(resolve(path))) : file.replace(/\.json$/i, '')
  return name === '' ? file : name
}

/** The JSON in a file. Throws UsageError where there is none, FileError where it is something else. */
export async function readJsonFile(path: string): Promise<unknown> {
  const file = fileOf(path)
  if (file === undefined) throw new UsageError(`${path}: no such file`)
  return readJson(file)
}

async function readJson(path: string): Promise<unknown> {
  const { parseJson } = await import('./json.ts')
  return parseJson(readText(path), path)
}

/** A trace of some million tokens; a longer string Node cannot hold. */
const largestTrace = 400 * 2 ** 20

/** The measured rounds of a file of JSON Lines. Throws FileError that names the line. */
export async function readRounds(path: string): Promise<readonly MeasuredRound[]> {
  const { parseLines } = await import('../simulate/speculation/lines.ts')
  const { roundsOf } = await import('../simulate/speculation/rounds.ts')
  const content = readLines(path)
  return inFile(() => roundsOf(parseLines(content)), `${path}: `)
}

/** The text of a file of JSON Lines. Throws UsageError where there is none. */
export function readLines(path: string): string {
  const stat = statOf(path)
  if (stat === undefined) throw new UsageError(`${path}: no such file`)
  if (stat.isDirectory()) throw new UsageError(`${path}: expected a file of JSON Lines, got a folder`)
  if (stat.size > largestTrace) throw new FileError(`${path}: expected at most 400 MiB of JSON Lines, got more`)
  return decoded(path)
}

function readText(path: string): string {
  if ((statOf(path)?.size ?? 0) > largest) throw new FileError(`${path}: expected a JSON file, got one over 16 MiB`)
  return decoded(path)
}

function decoded(path: string): string {
  let content: Uint8Array
  try {
    content = readFileSync(path)
  } catch (error) {
    throw new FileError(`cannot read ${path}: ${fileReason(error)}`)
  }
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(content)
  } catch {
    throw new FileError(`${path}: expected UTF-8 text, got other bytes`)
  }
}

/** Errors of what reads a file are the file's, with `prefix` before their message. */
async function inFile<T>(read: () => T | Promise<T>, prefix = ''): Promise<T> {
  try {
    return await read()
  } catch (error) {
    if (error instanceof TypeError || !(error instanceof Error)) throw error
    throw new FileError(prefix + error.message)
  }
}

/** How everything that a query names is loaded. */
export const loaders = { model: loadModelArgument, machine: loadMachineArgument, rounds: readRounds }
