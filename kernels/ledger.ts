// The operators of a kernel, written by the model's own emitters for a network of that one module: what is predicted and
// what is measured are then the same work.
import type { Architecture, Module } from '../model/architecture.ts'
import { type Deployment, type DeploymentOptions, deploy } from '../model/deployment.ts'
import { type Format, format } from '../model/format.ts'
import type { Context } from '../model/modules/emit.ts'
import type { Operator, Pass } from '../model/operator.ts'
import { pass } from '../model/pass.ts'
import { decode, tokens, type Workload } from '../model/workload.ts'

function network(modules: readonly Module[], stack: Workload['stack']): Architecture {
  return {
    name: 'kernel',
    type: 'kernel',
    kind: stack,
    dtype: 'fp16',
    formats: {},
    stacks: [{ name: stack, width: 0, input: [], groups: [{ layers: [0], modules }], output: [] }],
    reading: { used: [], ignored: [], assumed: [] },
  }
}

/** Storage and arithmetic of one width: fp16 or fp32. */
export function plainFormats(bits: number): { weights: Format; activations: Format; kv: Format } {
  const f = format(bits === 32 ? 'fp32' : 'fp16')
  return { weights: f, activations: f, kv: f }
}

/** All operators of `modules` over a workload. */
export function passOf(modules: readonly Module[], workload: Workload, options: DeploymentOptions): Pass {
  return pass(deploy(network(modules, workload.stack), options), workload)
}

/** Those of the operators that a kernel computes, by name. Throws where the model emits none of that name. */
export function pick(operators: Pass, ...names: readonly string[]): Operator[] {
  return names.map((name) => {
    const found = operators.find((o) => o.name === name)
    if (!found) throw new Error(`expected an operator ${name}, got ${operators.map((o) => o.name).join(', ')}`)
    return found
  })
}

/** What `write` emits for `count` tokens: for kernels that are no module of their own. */
export function emitted(options: DeploymentOptions, count: number, write: (c: Context) => void): Operator[] {
  const workload = decode(count, 0)
  const deployment: Deployment = deploy(network([], 'decoder'), options)
  const out: Operator[] = []
  const all = tokens(workload)
  write({
    deployment,
    groups: workload.groups,
    tokens: all,
    sequences: count,
    logits: all,
    allTokens: all,
    layers: '',
    count: 1,
    out,
  })
  return out
}
