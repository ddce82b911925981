// The router that the command line names, made for a fleet.
import { readFileSync } from 'node:fs'
import { nearestHint } from '../../model/nearest.ts'
import type { Random } from '../../model/random.ts'
import { feasibleBatch, meets, steadyStep } from '../../simulate/serving/capacity.ts'
import { type Policy, parsePolicy, policyRouter } from '../../simulate/serving/dqn/policy.ts'
import {
  deadlineCapped,
  largestThatFits,
  leastLoadedRouter,
  type Router,
  randomRouter,
  routerNames,
  staticRouter,
} from '../../simulate/serving/router.ts'
import { FileError, fileReason, UsageError } from '../errors.ts'
import { parseJson } from '../json.ts'
import type { FleetMember } from './fleet.ts'

export interface RoutingContext {
  readonly members: readonly FleetMember[]
  /** Mean tokens. */
  readonly prompt: number
  readonly output: number
  readonly deadline: number | undefined
  readonly tasks: readonly string[]
  /** Accuracies by model, then task, where they are known. */
  readonly quality: readonly (readonly number[])[] | undefined
  readonly random: Random
}

/** Throws UsageError where the name is not known or the context lacks what it needs. */
export function routerOf(text: string, c: RoutingContext): Router {
  if (text.startsWith('dqn:')) return learned(text.slice(4), c)
  switch (text) {
    case 'static':
      return staticRouter()
    case 'random':
      return randomRouter(c.random)
    case 'least-loaded':
      return leastLoadedRouter()
    case 'largest-that-fits': {
      const deadline = needed(text, c.deadline)
      return largestThatFits(deadline, (model, batch) => {
        const { time } = (c.members[model] as FleetMember).kind
        return c.output * steadyStep(time, batch, c.prompt, c.output)
      })
    }
    case 'deadline-capped':
      return deadlineCapped({ batches: feasible(text, c), gains: gains(c.quality) })
  }
  const known = routerNames.map((n) => (n === 'dqn' ? 'dqn:FILE' : n))
  throw new UsageError(`--router: expected one of ${known.join(', ')}, got ${text}${nearestHint(text, known)}`)
}

function needed(router: string, deadline: number | undefined): number {
  if (deadline === undefined) throw new UsageError(`--router ${router}: expected --deadline, got none`)
  return deadline
}

/** By model, the largest batch that meets the deadline. */
export function feasible(
  router: string,
  c: Pick<RoutingContext, 'members' | 'prompt' | 'output' | 'deadline'>,
): number[] {
  const deadline = needed(router, c.deadline)
  return c.members.map(({ kind }) => {
    const most = Math.max(1, kind.most(c.prompt, c.output))
    return feasibleBatch(meets(kind.time, c.prompt, c.output, deadline), most)
  })
}

/** By task, what the largest model gains over the smallest, of its own. */
export function gains(quality: readonly (readonly number[])[] | undefined): number[] | undefined {
  const [large, small] = [quality?.[0], quality?.at(-1)]
  if (!large || !small || large === small) return undefined
  return large.map((a, task) => 1 - (small[task] ?? 0) / a)
}

function learned(path: string, c: RoutingContext): Router {
  if (path === '') throw new UsageError('--router: expected dqn:FILE with a router of `memwall train-router`')
  const policy = readPolicy(path)
  const models = c.members.map((m) => m.kind.name)
  checkSame(path, 'models', policy.models, models)
  checkSame(path, 'tasks', policy.tasks, c.tasks)
  return policyRouter(policy)
}

function checkSame(path: string, what: string, trained: readonly string[], got: readonly string[]): void {
  if (trained.join() === got.join()) return
  throw new UsageError(
    `--router: ${path} was trained for the ${what} ${trained.join(', ')}; expected the same here, got ${got.join(', ') || 'none'}`,
  )
}

/** The policy of a file. Throws UsageError where there is none, FileError where it is another thing. */
export function readPolicy(path: string): Policy {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw new UsageError(`${path}: no such file`)
    throw new FileError(`cannot read ${path}: ${fileReason(error)}`)
  }
  const json = parseJson(text, path)
  try {
    return parsePolicy(json)
  } catch (error) {
    throw error instanceof RangeError ? new FileError(`${path}: ${error.message}`) : error
  }
}
