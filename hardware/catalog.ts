// The shipped machines by name and alias: one row each, in `machines/`. Nothing is loaded until it is asked for. It holds
// no figures, and knows nothing of machines in users' files, nor of what was measured on a machine (profiles).
import { nearest } from '../model/nearest.ts'
import type { Machine } from './machine.ts'

interface Row {
  /** Other spellings, as `key` writes them. */
  readonly aliases: readonly string[]
  readonly load: () => Promise<{ readonly default: Machine }>
}

const table = {
  'a100-40gb-pcie': {
    aliases: ['a100-pcie-40gb'],
    load: () => import('./machines/a100-40gb-pcie.json', { with: { type: 'json' } }),
  },
  'a100-40gb-sxm': {
    aliases: ['a100-40gb', 'a100-sxm-40gb', 'a100-sxm4-40gb'],
    load: () => import('./machines/a100-40gb-sxm.json', { with: { type: 'json' } }),
  },
  'a100-80gb-pcie': {
    aliases: ['a100-pcie', 'a100-pcie-80gb'],
    load: () => import('./machines/a100-80gb-pcie.json', { with: { type: 'json' } }),
  },
  'a100-80gb-sxm': {
    aliases: [
      'a100',
      'a100-sxm',
      'a100-sxm4',
      'a100-80gb',
      'a100-sxm-80gb',
      'a100-sxm4-80gb',
      'a100-80gb-sxm-330-w-cap',
    ],
    load: () => import('./machines/a100-80gb-sxm.json', { with: { type: 'json' } }),
  },
  'h100-pcie': {
    aliases: ['h100-80gb-pcie', 'h100-pcie-80gb'],
    load: () => import('./machines/h100-pcie.json', { with: { type: 'json' } }),
  },
  'h100-sxm': {
    aliases: ['h100', 'h100-sxm5', 'h100-80gb', 'h100-80gb-sxm', 'h100-sxm-80gb', 'h100-80gb-hbm3'],
    load: () => import('./machines/h100-sxm.json', { with: { type: 'json' } }),
  },
  'h100-nvl': { aliases: ['h100-94gb'], load: () => import('./machines/h100-nvl.json', { with: { type: 'json' } }) },
  h200: {
    aliases: ['h200-sxm', 'h200-sxm5', 'h200-141gb'],
    load: () => import('./machines/h200.json', { with: { type: 'json' } }),
  },
  gh200: {
    aliases: ['gh200-96gb', 'gh200-480gb', 'grace-hopper'],
    load: () => import('./machines/gh200.json', { with: { type: 'json' } }),
  },
  b200: { aliases: ['b200-sxm', 'b200-sxm6'], load: () => import('./machines/b200.json', { with: { type: 'json' } }) },
  b300: { aliases: ['b300-sxm', 'b300-sxm6'], load: () => import('./machines/b300.json', { with: { type: 'json' } }) },
  gb200: { aliases: ['gb200-nvl72'], load: () => import('./machines/gb200.json', { with: { type: 'json' } }) },
  gb300: { aliases: ['gb300-nvl72'], load: () => import('./machines/gb300.json', { with: { type: 'json' } }) },
  l4: { aliases: [], load: () => import('./machines/l4.json', { with: { type: 'json' } }) },
  l40s: { aliases: [], load: () => import('./machines/l40s.json', { with: { type: 'json' } }) },
  t4: { aliases: [], load: () => import('./machines/t4.json', { with: { type: 'json' } }) },
  'v100-sxm-16gb': {
    aliases: ['v100', 'v100-sxm', 'v100-sxm2', 'v100-16gb', 'v100-sxm2-16gb'],
    load: () => import('./machines/v100-sxm-16gb.json', { with: { type: 'json' } }),
  },
  'v100-sxm-32gb': {
    aliases: ['v100-32gb', 'v100-sxm2-32gb'],
    load: () => import('./machines/v100-sxm-32gb.json', { with: { type: 'json' } }),
  },
  'v100-pcie-16gb': {
    aliases: ['v100-pcie'],
    load: () => import('./machines/v100-pcie-16gb.json', { with: { type: 'json' } }),
  },
  a10: { aliases: [], load: () => import('./machines/a10.json', { with: { type: 'json' } }) },
  a10g: { aliases: [], load: () => import('./machines/a10g.json', { with: { type: 'json' } }) },
  a40: { aliases: [], load: () => import('./machines/a40.json', { with: { type: 'json' } }) },
  'rtx-a6000': { aliases: ['a6000'], load: () => import('./machines/rtx-a6000.json', { with: { type: 'json' } }) },
  'rtx-2080-ti': {
    aliases: ['rtx-2080ti', 'rtx2080ti', '2080-ti', '2080ti'],
    load: () => import('./machines/rtx-2080-ti.json', { with: { type: 'json' } }),
  },
  'rtx-3090': {
    aliases: ['rtx3090', '3090'],
    load: () => import('./machines/rtx-3090.json', { with: { type: 'json' } }),
  },
  'rtx-3090-ti': {
    aliases: ['rtx-3090ti', 'rtx3090ti', '3090-ti', '3090ti'],
    load: () => import('./machines/rtx-3090-ti.json', { with: { type: 'json' } }),
  },
  'rtx-4090': {
    aliases: ['rtx4090', '4090'],
    load: () => import('./machines/rtx-4090.json', { with: { type: 'json' } }),
  },
  'rtx-5090': {
    aliases: ['rtx5090', '5090'],
    load: () => import('./machines/rtx-5090.json', { with: { type: 'json' } }),
  },
  'rtx-pro-6000-server': {
    aliases: ['rtx-pro-6000', 'rtx-pro-6000-blackwell-server-edition', 'rtx-6000-pro'],
    load: () => import('./machines/rtx-pro-6000-server.json', { with: { type: 'json' } }),
  },
  'jetson-agx-orin-64gb': {
    aliases: ['orin', 'jetson-orin', 'agx-orin', 'jetson-agx-orin'],
    load: () => import('./machines/jetson-agx-orin-64gb.json', { with: { type: 'json' } }),
  },
  mi210: { aliases: [], load: () => import('./machines/mi210.json', { with: { type: 'json' } }) },
  mi250x: { aliases: ['mi250'], load: () => import('./machines/mi250x.json', { with: { type: 'json' } }) },
  'mi250x-gcd': {
    aliases: ['mi250x-1-gcd'],
    load: () => import('./machines/mi250x-gcd.json', { with: { type: 'json' } }),
  },
  mi300x: { aliases: ['mi300'], load: () => import('./machines/mi300x.json', { with: { type: 'json' } }) },
  mi325x: { aliases: ['mi325'], load: () => import('./machines/mi325x.json', { with: { type: 'json' } }) },
  mi355x: { aliases: ['mi355'], load: () => import('./machines/mi355x.json', { with: { type: 'json' } }) },
  'ryzen-ai-max-395': {
    aliases: ['strix-halo', 'radeon-8060s', 'ryzen-ai-max-395-radeon-8060s'],
    load: () => import('./machines/ryzen-ai-max-395.json', { with: { type: 'json' } }),
  },
  'epyc-9654': { aliases: ['epyc-9654p'], load: () => import('./machines/epyc-9654.json', { with: { type: 'json' } }) },
  'tpu-v3': { aliases: [], load: () => import('./machines/tpu-v3.json', { with: { type: 'json' } }) },
  'tpu-v4': { aliases: [], load: () => import('./machines/tpu-v4.json', { with: { type: 'json' } }) },
  'tpu-v5e': {
    aliases: ['v5e', 'tpu-v5-lite'],
    load: () => import('./machines/tpu-v5e.json', { with: { type: 'json' } }),
  },
  'tpu-v5p': { aliases: ['v5p'], load: () => import('./machines/tpu-v5p.json', { with: { type: 'json' } }) },
  'tpu-v6e': {
    aliases: ['v6e', 'trillium'],
    load: () => import('./machines/tpu-v6e.json', { with: { type: 'json' } }),
  },
  gaudi2: { aliases: ['gaudi-2'], load: () => import('./machines/gaudi2.json', { with: { type: 'json' } }) },
  gaudi3: { aliases: ['gaudi-3'], load: () => import('./machines/gaudi3.json', { with: { type: 'json' } }) },
  'arc-pro-b60': {
    aliases: ['b60', 'arc-b60'],
    load: () => import('./machines/arc-pro-b60.json', { with: { type: 'json' } }),
  },
  'xeon-gold-6242': {
    aliases: ['xeon-6242'],
    load: () => import('./machines/xeon-gold-6242.json', { with: { type: 'json' } }),
  },
  'xeon-8480plus': {
    aliases: ['xeon-8480', 'xeon-platinum-8480'],
    load: () => import('./machines/xeon-8480plus.json', { with: { type: 'json' } }),
  },
  m1: { aliases: [], load: () => import('./machines/m1.json', { with: { type: 'json' } }) },
  'm1-pro': { aliases: [], load: () => import('./machines/m1-pro.json', { with: { type: 'json' } }) },
  'm1-max': { aliases: [], load: () => import('./machines/m1-max.json', { with: { type: 'json' } }) },
  'm1-ultra': { aliases: [], load: () => import('./machines/m1-ultra.json', { with: { type: 'json' } }) },
  m2: { aliases: [], load: () => import('./machines/m2.json', { with: { type: 'json' } }) },
  'm2-pro': { aliases: [], load: () => import('./machines/m2-pro.json', { with: { type: 'json' } }) },
  'm2-max': { aliases: [], load: () => import('./machines/m2-max.json', { with: { type: 'json' } }) },
  'm2-ultra': { aliases: [], load: () => import('./machines/m2-ultra.json', { with: { type: 'json' } }) },
  m3: { aliases: [], load: () => import('./machines/m3.json', { with: { type: 'json' } }) },
  'm3-pro': { aliases: [], load: () => import('./machines/m3-pro.json', { with: { type: 'json' } }) },
  'm3-max': { aliases: [], load: () => import('./machines/m3-max.json', { with: { type: 'json' } }) },
  'm3-ultra': { aliases: [], load: () => import('./machines/m3-ultra.json', { with: { type: 'json' } }) },
  m4: { aliases: [], load: () => import('./machines/m4.json', { with: { type: 'json' } }) },
  'm4-pro': { aliases: [], load: () => import('./machines/m4-pro.json', { with: { type: 'json' } }) },
  'm4-max': { aliases: [], load: () => import('./machines/m4-max.json', { with: { type: 'json' } }) },
  'raspberry-pi-5': {
    aliases: ['rpi-5', 'pi-5', 'pi5'],
    load: () => import('./machines/raspberry-pi-5.json', { with: { type: 'json' } }),
  },
} as const satisfies Record<string, Row>

export type MachineName = keyof typeof table
export const machineNames = Object.keys(table) as MachineName[]

/** Alias to name. */
export const machineAliases: Readonly<Record<string, MachineName>> = Object.fromEntries(
  machineNames.flatMap((name) => table[name].aliases.map((alias) => [alias, name])),
)

const spellings = new Map([...machineNames.map((name) => [name, name] as const), ...Object.entries(machineAliases)])

/** A spelling without what does not tell machines apart: case, spaces and signs, the maker. */
export function key(spelling: string): string {
  const words = spelling.toLowerCase().replace(/[^a-z0-9]+/g, '-')
  return words.replace(/^-|-$/g, '').replace(/^((nvidia|amd|intel|apple|google|geforce|tesla|instinct)-)+/, '')
}

/** The name of the machine that a name or alias means, in any spelling; undefined where there is none. */
export function machineName(spelling: string): MachineName | undefined {
  if (Object.hasOwn(table, spelling)) return spelling as MachineName
  return spellings.get(key(spelling))
}

/** The machine with this name or alias, in any spelling. Throws RangeError. */
export async function loadMachine(spelling: string): Promise<Machine> {
  const name = machineName(spelling)
  if (name === undefined) throw new RangeError(unknownMachine(spelling))
  return (await table[name].load()).default
}

/** The works that machines cite, by the codes in their `sources`. */
export async function loadSources(): Promise<Readonly<Record<string, string>>> {
  return (await import('./sources.json', { with: { type: 'json' } })).default
}

function unknownMachine(spelling: string): string {
  const close = nearest(key(spelling), [...spellings.keys()])
  const hint = close.length > 0 ? ` Did you mean ${close.join(', ')}?` : ''
  return `Expected the name of a machine, got '${spelling}'.${hint} \`memwall list machines\` lists all ${machineNames.length}.`
}
