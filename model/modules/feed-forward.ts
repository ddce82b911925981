// Dense feed-forward blocks and mixtures of experts. A mixture reads the weights of the experts that some token of the
// pass takes, and computes each token's own experts exactly.
import type { FeedForward, MixtureOfExperts } from '../architecture.ts'
import { replicas } from '../deployment.ts'
import { activationExponentials, activationFlops, type Context, collective, elementwise, product } from './emit.ts'

interface Dense {
  readonly name: string
  readonly width: number
  readonly hidden: number
  readonly gated: boolean
  readonly bias: boolean
  readonly activation: string
}

/** Up- and gate-projection as one product, the activation, the down-projection. */
function dense(d: Dense, c: Context): void {
  const { tensor } = c.deployment.parallel
  const hidden = Math.ceil(d.hidden / tensor)
  const up = d.gated ? 2 * hidden : hidden
  const bias = d.bias ? up : 0
  product(c, `${d.name}-up`, { role: 'ffn', m: c.tokens, n: up, k: d.width, bias })
  activate(d, c, `${d.name}-activation`, c.tokens * hidden)
  product(c, `${d.name}-down`, { role: 'ffn', m: c.tokens, n: d.width, k: hidden, bias: d.bias ? d.width : 0 })
}

function activate(d: { gated: boolean; activation: string }, c: Context, name: string, elements: number): void {
  const flops = (activationFlops(d.activation) + (d.gated ? 1 : 0)) * elements
  const exponentials = activationExponentials(d.activation) * elements
  elementwise(c, name, (d.gated ? 2 : 1) * elements, elements, flops, undefined, exponentials)
}

export function feedForward(f: FeedForward, c: Context): void {
  dense(f, c)
  collective(c, `${f.name}-all-reduce`, 'all-reduce', c.deployment.parallel.tensor, c.tokens * f.width)
}

/** Experts of `experts` that at least one of `tokens` tokens takes, `active` each, chosen evenly: E(1 - (1 - k/E)^T). */
export function distinctExperts(experts: number, active: number, tokens: number): number {
  return experts * (1 - (1 - active / experts) ** tokens)
}

/**
 * Expected load of the busiest of `ranks` when `assignments` fall on them evenly: the expected maximum of independent
 * binomials, each approximated by a Poisson below 200 per rank and by a normal above.
 */
export function busiestLoad(assignments: number, ranks: number): number {
  if (ranks === 1) return assignments
  const mean = assignments / ranks
  if (mean > 200) {
    // Expected maximum of n standard normals (Blom's approximation).
    return Math.min(assignments, mean + Math.sqrt(mean * (1 - 1 / ranks)) * normalQuantile(1 - 0.5264 ** (1 / ranks)))
  }
  let below = Math.exp(-mean)
  let cumulative = below
  let expected = 0
  for (let x = 0; x < assignments; x++) {
    expected += 1 - cumulative ** ranks
    below *= mean / (x + 1)
    cumulative = Math.min(1, cumulative + below)
    if (1 - cumulative < 1e-12) break
  }
  return Math.min(assignments, Math.max(mean, expected))
}

/** Upper quantile of the standard normal (Abramowitz and Stegun 26.2.23), for tail probability p <= 0.5. */
function normalQuantile(p: number): number {
  const t = Math.sqrt(-2 * Math.log(p))
  const numerator = 2.515517 + t * (0.802853 + t * 0.010328)
  return t - numerator / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)))
}

export function mixtureOfExperts(e: MixtureOfExperts, c: Context): void {
  const { tensor, expert } = c.deployment.parallel
  product(c, `${e.name}-router`, { role: 'router', m: c.tokens, n: e.experts, k: e.width, bias: e.routerExtra })
  elementwise(c, `${e.name}-topk`, c.tokens * e.experts, 2 * c.tokens * e.active, 4 * c.tokens * e.experts)
  if (e.latent !== undefined) product(c, `${e.name}-latent-in`, { role: 'ffn', m: c.tokens, n: e.latent, k: e.width })
  // With attention data-parallel, tokens travel to their experts and back; else every rank already has all tokens.
  const wide = replicas(c.deployment) > 1
  const inner = e.latent ?? e.width
  const sent = (c.tokens * e.active * inner) / tensor
  if (wide) collective(c, `${e.name}-dispatch`, 'all-to-all', expert, sent)
  routed(e, c, inner)
  if (wide) collective(c, `${e.name}-combine`, 'all-to-all', expert, sent)
  elementwise(c, `${e.name}-sum`, c.tokens * (e.active + 1) * inner, c.tokens * inner, 2 * c.tokens * e.active * inner)
  if (e.latent !== undefined) product(c, `${e.name}-latent-out`, { role: 'ffn', m: c.tokens, n: e.width, k: e.latent })
  if (e.shared) shared(e, e.shared, c)
  collective(c, `${e.name}-all-reduce`, 'all-reduce', tensor, c.tokens * e.width)
}

/** The experts of the busiest rank. */
function routed(e: MixtureOfExperts, c: Context, inner: number): void {
  const { tensor, expert } = c.deployment.parallel
  const own = e.experts / expert
  const hidden = Math.ceil(e.hidden / Math.max(1, tensor / expert))
  const up = e.gated ? 2 * hidden : hidden
  const products = busiestLoad(c.allTokens * e.active, expert)
  const matrices = distinctExperts(own, e.active / expert, (products * expert) / e.active)
  const m = products / matrices
  const bias = { up: e.bias ? up * matrices : 0, down: e.bias ? inner * matrices : 0 }
  product(c, `${e.name}-up`, { role: 'experts', m, n: up, k: inner, matrices, products, bias: bias.up })
  activate(e, c, `${e.name}-activation`, products * hidden)
  product(c, `${e.name}-down`, { role: 'experts', m, n: inner, k: hidden, matrices, products, bias: bias.down })
}

function shared(e: MixtureOfExperts, s: NonNullable<MixtureOfExperts['shared']>, c: Context): void {
  const name = `${e.name}-shared`
  dense({ name, width: e.width, hidden: s.hidden, gated: e.gated, bias: false, activation: e.activation }, c)
  const elements = c.tokens * e.width
  if (s.gate) product(c, `${name}-gate`, { role: 'router', m: c.tokens, n: 1, k: e.width })
  elementwise(c, `${name}-add`, 2 * elements, elements, (s.gate ? 2 : 1) * elements)
}
