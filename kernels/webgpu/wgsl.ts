// Pieces that WGSL sources are put together from. Loops over registers are written out here, so that nothing depends on
// what a driver's compiler unrolls.
import type { Facts } from '../backend.ts'

/** The text of `line(0)` to `line(n - 1)`. */
export function each(n: number, line: (i: number) => string, separator = '\n'): string {
  return Array.from({ length: n }, (_, i) => line(i)).join(separator)
}

/** Workgroups in two dimensions where one would be too long; the source takes `id.y * ${width}u + id.x`. */
export function spread(groups: number): readonly [x: number, y: number, z: number] {
  const most = 32768
  return groups <= most ? [groups, 1, 1] : [most, Math.ceil(groups / most), 1]
}

/** The linear number of a workgroup that `spread` laid out. */
export function groupIndex(groups: number): string {
  return groups <= 32768 ? 'group.x' : 'group.y * 32768u + group.x'
}

/** Lanes of a subgroup, where all subgroups of the device are alike; else 1, and lanes exchange nothing. */
export function lanesOf({ subgroup }: Facts): number {
  return subgroup && subgroup[0] === subgroup[1] ? subgroup[0] : 1
}

export function enables(lanes: number): string {
  return lanes > 1 ? 'enable subgroups;\n' : ''
}

/** Statements that leave in every one of `lanes` neighbouring lanes their combination of `names`. */
export function butterfly(names: readonly string[], lanes: number, combine: (a: string, b: string) => string): string {
  const lines: string[] = []
  for (let stride = lanes / 2; stride >= 1; stride /= 2) {
    for (const name of names) lines.push(`${name} = ${combine(name, `subgroupShuffleXor(${name}, ${stride}u)`)};`)
  }
  return lines.join('\n')
}

export const add = (a: string, b: string) => `${a} + ${b}`
export const max = (a: string, b: string) => `max(${a}, ${b})`

/** The dot product of two vec4f, by multiply-adds: a driver may take `dot` for products and sums. */
export function dot4(a: string, b: string, sum?: string): string {
  const product = (i: number) => `${a}[${i}], ${b}[${i}]`
  const last = sum === undefined ? `${a}[3] * ${b}[3]` : `fma(${product(3)}, ${sum})`
  return [2, 1, 0].reduce((text, i) => `fma(${product(i)}, ${text})`, last)
}

/** Elements that are loaded together, in 16 bytes of fp16 or 32 of fp32. */
export const pack = 8

/** Packs of a row of so many elements: rows begin at whole packs. */
export function packs(elements: number): number {
  return Math.ceil(elements / pack)
}

/** Elements of a row with what fills its last pack. */
export function padded(elements: number): number {
  return packs(elements) * pack
}

/** 16-byte words of a pack. */
export function packWords(bits: number): number {
  return (pack * bits) / 128
}

/**
 * Declares `NAME_lo` and `NAME_hi`, the two vec4f of the pack that begins at the 16-byte word `at` of the array `from`.
 */
export function loadPack(name: string, from: string, at: string, bits: number): string {
  if (bits === 32) {
    return `let ${name}_lo = bitcast<vec4f>(${from}[${at}]);
let ${name}_hi = bitcast<vec4f>(${from}[${at} + 1u]);`
  }
  return `let ${name}_raw = ${from}[${at}];
${unpack(name)}`
}

/** `NAME_lo` and `NAME_hi` from `NAME_raw`, eight halves in a vec4u. */
export function unpack(name: string): string {
  return `let ${name}_lo = vec4f(unpack2x16float(${name}_raw.x), unpack2x16float(${name}_raw.y));
let ${name}_hi = vec4f(unpack2x16float(${name}_raw.z), unpack2x16float(${name}_raw.w));`
}

/** The vec4u of eight halves from two vec4f. */
export function halves(lo: string, hi: string): string {
  return `vec4u(pack2x16float(${lo}.xy), pack2x16float(${lo}.zw), pack2x16float(${hi}.xy), pack2x16float(${hi}.zw))`
}

/** Bindings in order: name to declaration of its type, outputs writable. */
export function bindings(list: readonly (readonly [name: string, type: string, writes?: true])[]): string {
  return list
    .map(([name, type, writes], i) => {
      const access = writes ? 'read_write' : 'read'
      return `@group(0) @binding(${i}) var<storage, ${access}> ${name}: ${type};`
    })
    .join('\n')
}

/** Leaves in a team's first lane the sum of the team's `name`, through the array `part` of the workgroup. */
export function throughShared(name: string, team: number): string {
  const strides = each(Math.log2(team), (i) => {
    const stride = team >> (i + 1)
    return `if (lane < ${stride}u) { part[local] += part[local + ${stride}u]; }\nworkgroupBarrier();`
  })
  return `part[local] = ${name};\nworkgroupBarrier();\n${strides}\n${name} = part[local];\nworkgroupBarrier();`
}

/**
 * The dot product of a word's eight 4-bit codes, less `zero`, with eight singles: `NAME(word, first, last)` takes
 * the singles as `spreadCodes` leaves them. Code j of a word becomes a single where it stands: its bits are or-ed into
 * the mantissa of 2^23, and taking 2^23 + zero·16^j away leaves (code - zero)·16^j exactly. So single j must be divided
 * by 16^j; the last three codes are shifted down by 20 bits first.
 */
export function codesTimesFunction(zero: number, name = 'codes_times'): string {
  const exact = (j: number) => (8388608 + zero * 16 ** j).toFixed(1)
  return `fn ${name}(w: u32, first: vec4f, last: vec4f) -> f32 {
  let v = w >> 20u;
  let a = bitcast<vec4f>((vec4u(w) & vec4u(0xfu, 0xf0u, 0xf00u, 0xf000u)) | vec4u(0x4b000000u)) - vec4f(${exact(0)}, ${exact(1)}, ${exact(2)}, ${exact(3)});
  let b = bitcast<vec4f>((vec4u(w, v, v, v) & vec4u(0xf0000u, 0xfu, 0xf0u, 0xf00u)) | vec4u(0x4b000000u)) - vec4f(${exact(4)}, ${exact(0)}, ${exact(1)}, ${exact(2)});
  return ${dot4('a', 'first')} + ${dot4('b', 'last')};
}`
}

/** Declares `NAME_first` and `NAME_last`, the singles `NAME_lo` and `NAME_hi` as `codes_times` takes them. */
export function spreadCodes(name: string): string {
  return `let ${name}_first = ${name}_lo * spread_first;
let ${name}_last = ${name}_hi * spread_last;`
}

/** The divisors of `spreadCodes`, as factors. */
export const spreadFactors = `const spread_first = vec4f(1.0, ${1 / 16}, ${1 / 256}, ${1 / 4096});
const spread_last = vec4f(${1 / 65536}, 1.0, ${1 / 16}, ${1 / 256});`

/** A team of neighbouring lanes in a workgroup of `width`, and the workgroup's array that it exchanges through. */
export interface Team {
  readonly lanes: number
  readonly team: number
  readonly width: number
  readonly through: string
}

/** Elements that the array of `together` needs for so many names. */
export function exchanged(names: number, { lanes, team, width }: Omit<Team, 'through'>): number {
  return Math.max(1, team > lanes ? (names * width) / lanes : 1)
}

/**
 * Statements that leave in every lane of a team the team's combination of each of `names`: within subgroups by exchange,
 * beyond through shared memory. All lanes of the workgroup must come here.
 */
export function together(
  names: readonly string[],
  { lanes, team, width, through }: Team,
  combine: (a: string, b: string) => string,
): string {
  const few = Math.min(lanes, team)
  const inside = butterfly(names, few, combine)
  if (few === team) return inside
  const each = width / few
  const share = team / few
  const stores = names.map((n, i) => `${through}[${i * each}u + local / ${few}u] = ${n};`).join(' ')
  const loads = names.map(
    (n, i) => `${n} = ${through}[${i * each}u + (local / ${team}u) * ${share}u];
for (var t = 1u; t < ${share}u; t++) { ${n} = ${combine(n, `${through}[${i * each}u + (local / ${team}u) * ${share}u + t]`)}; }`,
  )
  return `${inside}
${few > 1 ? `if (local % ${few}u == 0u) { ${stores} }` : stores}
workgroupBarrier();
${loads.join('\n')}
workgroupBarrier();`
}
