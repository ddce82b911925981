// One model as it is kept and cut: its formats by role, its cache, its parallelism, its attention kernels.
import { type Architecture, type Module, type Role, roles } from './architecture.ts'
import { denseStore, type Selection, type Store } from './cache.ts'
import { bitsPerElement, codeBytes, type Format, type FormatName, format, scaleBytes } from './format.ts'
import { type Weight, weightRoles } from './parameters.ts'

/** Ranks that each pass is cut over. Experts may be spread wider than `tensor`: attention then runs data-parallel. */
export interface Parallel {
  readonly tensor: number
  readonly pipeline: number
  readonly expert: number
}

/** `flash`: scores stay on chip. `unfused`: scores go through memory, and causal masks save nothing. */
export const fusions = ['flash', 'unfused'] as const
export type Fusion = (typeof fusions)[number]

export interface Deployment {
  readonly architecture: Architecture
  readonly weights: Readonly<Record<Role, Format>>
  /** What the matrix arithmetic runs in, and how operands enter it. */
  readonly activations: Format
  /** How activations travel between kernels: never narrower than 16 bits. */
  readonly stream: Format
  readonly store: Store
  readonly selections: readonly Selection[]
  readonly parallel: Parallel
  readonly fusion: Fusion
}

export interface DeploymentOptions {
  /** Storage of the linear layers' weights (attention, recurrence, FFN, experts); of everything, from 16 bits on. */
  readonly weights?: Format
  /** Storage by role, over `weights`. */
  readonly roles?: Partial<Readonly<Record<Role, Format>>>
  readonly activations?: Format
  /** How activations travel where the arithmetic is narrower than 16 bits. */
  readonly stream?: Format
  readonly kv?: Format
  readonly store?: Store
  readonly selections?: readonly Selection[]
  readonly parallel?: Partial<Parallel>
  readonly fusion?: Fusion
}

/** Roles that quantized checkpoints quantize; the others stay as released. */
const linearRoles: readonly Role[] = ['attention', 'recurrence', 'ffn', 'experts']

/** A deployment of the architecture: as released, but for the options. Units: none; throws where ranks do not divide. */
export function deploy(architecture: Architecture, options: DeploymentOptions = {}): Deployment {
  const last = lastDeployed.get(architecture) ?? []
  const known = last.find((l) => sameOptions(l.options, options))
  if (known) return known.deployment
  const deployment = newDeployment(architecture, options)
  // Copied: a caller may change its own object and ask again.
  const copy = { ...options, parallel: { ...options.parallel }, roles: { ...options.roles } }
  lastDeployed.set(architecture, [{ options: copy, deployment }, ...last.slice(0, remembered - 1)])
  return deployment
}

/** A sweep asks for the same deployments again and again: what is derived from them is then derived once. */
const lastDeployed = new WeakMap<Architecture, { options: DeploymentOptions; deployment: Deployment }[]>()
/** A method and its baseline take turns, with a draft's or a view's deployment between them. */
const remembered = 4

function sameOptions(a: DeploymentOptions, b: DeploymentOptions): boolean {
  const { parallel: p = {}, roles: r = {}, ...of } = a
  const { parallel: q = {}, roles: s = {}, ...and } = b
  return shallowlyEqual(of, and) && shallowlyEqual(p, q) && shallowlyEqual(r, s)
}

function shallowlyEqual(a: object, b: object): boolean {
  const keys = Object.keys(a)
  if (keys.length !== Object.keys(b).length) return false
  for (const key of keys) if ((a as never)[key] !== (b as never)[key]) return false
  return true
}

function newDeployment(architecture: Architecture, options: DeploymentOptions): Deployment {
  const released = format(architecture.dtype)
  const activations = options.activations ?? format(releasedActivations(architecture, options))
  const narrow = activations.bits < 16
  const stream = narrow ? (options.stream ?? (released.bits === 16 ? released : format('bf16'))) : activations
  const parallel = { tensor: 1, pipeline: 1, expert: 1, ...options.parallel }
  checkParallel(architecture, parallel)
  return {
    architecture,
    weights: weightFormats(architecture, options),
    activations,
    stream,
    store: options.store ?? denseStore(options.kv ?? releasedCache(architecture, stream)),
    selections: options.selections ?? [],
    parallel,
    fusion: options.fusion ?? 'flash',
  }
}

/** Rows as the release keeps them, else as wide as the narrower of the release and what travels. */
function releasedCache({ kv, dtype }: Architecture, stream: Format): Format {
  if (kv !== undefined) return format(kv)
  return format(dtype).bits < stream.bits ? format(dtype) : stream
}

/** What the release is multiplied in; a release whose weights are kept otherwise computes in its 16 bits. */
export function releasedActivations(architecture: Architecture, { weights }: DeploymentOptions): FormatName {
  return (weights === undefined ? architecture.activations : undefined) ?? architecture.dtype
}

function weightFormats(architecture: Architecture, options: DeploymentOptions): Record<Role, Format> {
  const released = format(architecture.dtype)
  const chosen = options.weights
  return Object.fromEntries(
    roles.map((role) => {
      const wide = chosen !== undefined && (chosen.bits >= 16 || linearRoles.includes(role)) ? chosen : undefined
      return [role, options.roles?.[role] ?? wide ?? architecture.formats[role] ?? released]
    }),
  ) as Record<Role, Format>
}

function checkParallel(architecture: Architecture, parallel: Parallel): void {
  const { tensor, pipeline, expert } = parallel
  for (const [name, ranks] of [
    ['tp', tensor],
    ['pp', pipeline],
    ['ep', expert],
  ] as const) {
    if (!Number.isInteger(ranks) || ranks < 1)
      throw new RangeError(`${name}: expected a whole number from 1, got ${ranks}`)
  }
  const { name, stacks } = architecture
  for (const stack of stacks) {
    const layers = stack.groups.reduce((n, g) => n + g.layers.length, 0)
    if (pipeline > layers) {
      throw new RangeError(`pp: expected at most the ${layers} layers of ${name}'s ${stack.name}, got ${pipeline}`)
    }
  }
  const modules = stacks.flatMap((s) => s.groups.flatMap((g) => g.modules))
  for (const m of modules) checkDivides(m, parallel, name)
  if (tensor % expert !== 0 && expert % tensor !== 0) {
    throw new RangeError(`ep: expected a divisor or a multiple of tp ${tensor}, got ${expert}`)
  }
  if (expert > 1 && !modules.some((m) => m.kind === 'moe')) {
    throw new RangeError(`ep: ${name} has no experts to spread, got ${expert}`)
  }
}

/** Heads and experts are dealt out whole. */
function checkDivides(m: Module, { tensor, expert }: Parallel, name: string): void {
  const heads = m.kind === 'delta-net' ? m.keyHeads : 'heads' in m ? m.heads : tensor
  if (heads % tensor !== 0)
    throw new RangeError(`tp: expected a divisor of the ${heads} heads of ${name}, got ${tensor}`)
  if (m.kind === 'attention' && m.kvHeads % tensor !== 0 && tensor % m.kvHeads !== 0) {
    throw new RangeError(`tp: expected a divisor or a multiple of the ${m.kvHeads} KV heads of ${name}, got ${tensor}`)
  }
  if (m.kind === 'moe' && m.experts % expert !== 0) {
    throw new RangeError(`ep: expected a divisor of the ${m.experts} experts of ${name}, got ${expert}`)
  }
}

/** Devices that the deployment needs. */
export function devices({ parallel }: Deployment): number {
  return Math.max(parallel.tensor, parallel.expert) * parallel.pipeline
}

/** Data-parallel copies of everything but the experts. */
export function replicas({ parallel }: Deployment): number {
  return Math.max(1, parallel.expert / parallel.tensor)
}

/** Ways in which one rank's share of a weight is cut. */
function cuts(w: Weight, { tensor, expert }: Parallel): number {
  if (!w.split) return 1
  return w.copies > 1 ? Math.max(tensor, expert) : Math.min(tensor, w.parts ?? tensor)
}

/** Bytes of one rank's share of a weight as stored, scales included. */
export function weightBytes(w: Weight, deployment: Deployment): number {
  const f = deployment.weights[w.role]
  return (w.copies * matrixBytes(f, w.rows, w.columns)) / cuts(w, deployment.parallel)
}

/** Bytes of a stored matrix, scales included. */
export function matrixBytes(f: Format, rows: number, columns: number): number {
  return codeBytes(f, rows * columns) + scaleBytes(f, rows, columns)
}

/** The formats of the weights that the model has, by role where they differ. */
export function describeWeights({ architecture, weights }: Deployment): string {
  const names = new Map<string, Role[]>()
  for (const role of weightRoles(architecture)) {
    const f = weights[role]
    const name = `${f.name}${f.groupBits > 0 ? ` (${bitsPerElement(f, f.group ?? 4096).toFixed(2)} bits)` : ''}`
    names.set(name, [...(names.get(name) ?? []), role])
  }
  if (names.size === 1) return [...names.keys()].join()
  return [...names].map(([name, of]) => `${name}: ${of.join(', ')}`).join('; ')
}
