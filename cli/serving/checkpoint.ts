// Checkpoints of a training: one JSON file, arrays of numbers as base64, written beside its place and renamed, so that
// there is always a whole one.
import { existsSync, readFileSync, rmSync } from 'node:fs'
import type { TrainingState } from '../../simulate/serving/dqn/training.ts'
import { FileError, fileReason, UsageError } from '../errors.ts'
import { parseJson } from '../json.ts'
import { writeWhole } from '../output.ts'

interface Stored extends Omit<TrainingState, 'replay'> {
  readonly format: 'memwall-router-checkpoint'
  /** What was asked for: a checkpoint goes on with nothing else. */
  readonly asked: string
  readonly replay: { readonly size: number; readonly at: number } & Readonly<Record<Part, string>>
}

const parts = ['states', 'next', 'actions', 'rewards'] as const
type Part = (typeof parts)[number]

export function writeCheckpoint(path: string, asked: string, { replay, ...state }: TrainingState): void {
  const text = (of: Float32Array | Int32Array) =>
    Buffer.from(of.buffer, of.byteOffset, of.byteLength).toString('base64')
  const { size, at, states, next, actions, rewards } = replay
  const arrays = { states: text(states), next: text(next), actions: text(actions), rewards: text(rewards) }
  const stored: Stored = { format: 'memwall-router-checkpoint', asked, ...state, replay: { size, at, ...arrays } }
  writeWhole(path, JSON.stringify(stored))
}

/** Throws UsageError where there is none or it was made for something else, FileError where it is no checkpoint. */
export function readCheckpoint(path: string, asked: string): TrainingState {
  if (!existsSync(path)) throw new UsageError(`--resume: ${path}: no such file`)
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    throw new FileError(`cannot read ${path}: ${fileReason(error)}`)
  }
  const stored = parseJson(text, path) as Partial<Stored> | null
  if (stored?.format !== 'memwall-router-checkpoint' || !stored.replay || !stored.learner) {
    throw new FileError(`${path}: expected a checkpoint of \`memwall train-router\`, got something else`)
  }
  if (stored.asked !== asked) {
    throw new UsageError(`--resume: ${path} is of another training; expected the same models, tasks and options`)
  }
  const { replay, episode, best, averaged, learner } = stored
  if (typeof episode !== 'number' || !parts.every((part) => typeof replay[part] === 'string')) throw damaged(path)
  const bytes = (part: Part) => {
    const { buffer, byteLength } = Uint8Array.from(Buffer.from(replay[part], 'base64'))
    if (byteLength % 4 !== 0) throw damaged(path)
    return buffer
  }
  return {
    episode,
    best,
    averaged,
    learner,
    replay: {
      size: replay.size,
      at: replay.at,
      states: new Float32Array(bytes('states')),
      next: new Float32Array(bytes('next')),
      actions: new Int32Array(bytes('actions')),
      rewards: new Float32Array(bytes('rewards')),
    },
  }
}

/** Of a checkpoint that does not hold what it should. */
export function damaged(path: string, why = 'parts are missing'): FileError {
  return new FileError(`${path}: expected a whole checkpoint (${why}); remove it to train from the beginning`)
}

export function removeCheckpoint(path: string): void {
  rmSync(path, { force: true })
}
