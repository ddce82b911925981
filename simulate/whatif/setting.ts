// What of a query can be set by a name and a text: the parameters that sweeps go through, that solvers look for and that
// variants change. One row each; how it is typed, what it may be, and where it goes.
import type { Machine } from '../../hardware/machine.ts'
import { calibrations } from '../../hardware/profile.ts'
import type { Architecture, Role } from '../../model/architecture.ts'
import { roles } from '../../model/architecture.ts'
import { type DeploymentOptions, fusions, type Parallel } from '../../model/deployment.ts'
import { nearestHint } from '../../model/nearest.ts'
import { weightRoles } from '../../model/parameters.ts'
import { parseFigure, parseFormat, parseTokens } from '../../model/quantity.ts'
import type { AppliedMethod } from '../method.ts'
import { phases, type Query } from '../query.ts'
import type { Numeric } from './values.ts'

type Writable<T> = { -readonly [K in keyof T]: T[K] }

/** A query in the making. */
export interface Draft {
  architecture: Architecture
  machine: Machine
  readonly query: Partial<Writable<Omit<Query, 'architecture' | 'machine' | 'deployment' | 'methods'>>>
  readonly deployment: Writable<DeploymentOptions>
  readonly parallel: Partial<Writable<Parallel>>
  readonly roles: Partial<Record<Role, ReturnType<typeof parseFormat>>>
  readonly methods: AppliedMethod[]
}

type Put = (draft: Draft) => void

export interface NumberSetting {
  readonly kind: 'number'
  readonly numeric: Omit<Numeric, 'name'>
  put(value: number): Put
}

export interface WordSetting {
  readonly kind: 'word'
  put(text: string): Put
}

const tokens = { whole: true, parse: parseTokens, such: '8 or 128k' } as const
const longest = 1e9

function whole(put: (draft: Draft, value: number) => void, least = 1): NumberSetting {
  return {
    kind: 'number',
    numeric: { ...tokens, least, most: longest },
    put: (value) => (draft) => put(draft, value),
  }
}

function oneOf<T extends string>(name: string, list: readonly T[], put: (draft: Draft, value: T) => void): WordSetting {
  return {
    kind: 'word',
    put: (text) => {
      const word = list.find((w) => w === text)
      if (word === undefined) {
        throw new RangeError(`${name}: expected one of ${list.join(', ')}, got ${text}${nearestHint(text, list)}`)
      }
      return (draft) => put(draft, word)
    },
  }
}

function formatOf(name: string, put: (draft: Draft, value: ReturnType<typeof parseFormat>) => void): WordSetting {
  return {
    kind: 'word',
    put: (text) => {
      const value = named(name, () => parseFormat(text))
      return (draft) => put(draft, value)
    },
  }
}

function named<T>(name: string, parse: () => T): T {
  try {
    return parse()
  } catch (error) {
    throw error instanceof RangeError ? new RangeError(`${name}: ${error.message}`) : error
  }
}

/** By the name of the option without its dashes. */
export const settings: Readonly<Record<string, NumberSetting | WordSetting>> = {
  phase: oneOf('phase', phases, (d, v) => {
    d.query.phase = v
  }),
  batch: whole((d, v) => {
    d.query.batch = v
  }),
  context: whole((d, v) => {
    d.query.context = v
  }),
  past: whole((d, v) => {
    d.query.past = v
  }, 0),
  shared: whole((d, v) => {
    d.query.shared = v
  }, 0),
  fixed: whole((d, v) => {
    d.query.fixed = v
  }, 0),
  source: whole((d, v) => {
    d.query.source = v
  }),
  audio: {
    kind: 'number',
    numeric: { above: 0, most: 1e7, parse: Number, such: '30' },
    put: (value) => (d) => {
      d.query.audio = value
    },
  },
  'new-tokens': whole((d, v) => {
    d.query.newTokens = v
  }),
  activations: formatOf('activations', (d, v) => {
    d.deployment.activations = v
  }),
  kv: formatOf('kv', (d, v) => {
    d.deployment.kv = v
  }),
  tp: whole((d, v) => {
    d.parallel.tensor = v
  }),
  pp: whole((d, v) => {
    d.parallel.pipeline = v
  }),
  ep: whole((d, v) => {
    d.parallel.expert = v
  }),
  fusion: oneOf('fusion', fusions, (d, v) => {
    d.deployment.fusion = v
  }),
  calibration: oneOf('calibration', calibrations, (d, v) => {
    d.query.calibration = v
  }),
}

/** Storage of all weights (`int4`), or of a role (`head=int8`). */
export function weightSetting(text: string): {
  readonly name: string
  readonly role: Role | undefined
  readonly rest: string
} {
  const [, role, rest = text] = /^([a-z][a-z-]*)=(.*)$/s.exec(text) ?? []
  if (role === undefined) return { name: 'weights', role: undefined, rest }
  const known = roles.find((r) => r === role)
  if (known === undefined) {
    throw new RangeError(`weights: expected a role (${roles.join(', ')}), got ${role}${nearestHint(role, roles)}`)
  }
  return { name: `weights.${role}`, role: known, rest }
}

export function putWeights(role: Role | undefined, text: string): Put {
  const value = named('weights', () => parseFormat(text))
  return (draft) => {
    if (role === undefined) draft.deployment.weights = value
    else draft.roles[role] = value
  }
}

/** Refuses a format for weights that the model does not have: it would change nothing. */
export function checkRole(architecture: Architecture, role: Role): void {
  const has = weightRoles(architecture)
  if (has.includes(role)) return
  const why = role === 'head' ? ' (its head reads the embedding)' : ''
  throw new RangeError(`weights: ${architecture.name} has no ${role} weights${why}; expected one of ${has.join(', ')}`)
}

/** Numbers of the machine that can be asked for: bytes/s, bytes, FLOP/s of every unit alike, bytes/s of the fast link. */
export const machineFigures = ['bandwidth', 'capacity', 'peak', 'link'] as const
export type MachineFigure = (typeof machineFigures)[number]

export const figureNumbers: Omit<Numeric, 'name'> = { above: 0, parse: parseFigure, such: '3.35TB/s, 80GiB or 2e12' }

/** The machine with another figure. Of peaks, `value` is that of its 16-bit unit and the others keep their ratio to it. */
export function withFigure(machine: Machine, figure: MachineFigure, value: number): Machine {
  switch (figure) {
    case 'bandwidth':
      return { ...machine, memory: { ...machine.memory, bandwidth: value } }
    case 'capacity':
      return { ...machine, memory: { ...machine.memory, capacity: value } }
    case 'peak':
      return withPeaks(machine, value / (figureOf(machine, 'peak') as number))
    case 'link': {
      const { scaleUp } = machine.links
      if (scaleUp === undefined) throw new RangeError(`link: ${machine.name} has no fast link that could be another`)
      return { ...machine, links: { ...machine.links, scaleUp: { ...scaleUp, bandwidth: value } } }
    }
  }
}

/** The figure as the machine has it; undefined where it is not known. */
export function figureOf(machine: Machine, figure: MachineFigure): number | undefined {
  const { peaks, memory, links } = machine
  if (figure === 'bandwidth') return memory.bandwidth
  if (figure === 'capacity') return memory.capacity
  if (figure === 'link') return links.scaleUp?.bandwidth
  return peaks.bf16 ?? peaks.fp16 ?? Object.values(peaks)[0]
}

/** All matrix units `ratio` times as fast, each as many operations per clock more. */
function withPeaks(machine: Machine, ratio: number): Machine {
  const peaks = Object.fromEntries(Object.entries(machine.peaks).map(([unit, rate]) => [unit, rate * ratio]))
  const { matrixOperationsPerClock: operations } = machine.units
  const units =
    operations === undefined ? machine.units : { ...machine.units, matrixOperationsPerClock: operations * ratio }
  return { ...machine, peaks, units }
}

/** A number setting's or figure's full rule for parsing. */
export function numericOf(name: string): Numeric | undefined {
  const setting = Object.hasOwn(settings, name) ? settings[name] : undefined
  if (setting?.kind === 'number') return { name, ...setting.numeric }
  return (machineFigures as readonly string[]).includes(name) ? { name, ...figureNumbers } : undefined
}
