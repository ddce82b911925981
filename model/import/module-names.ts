// Patterns that quantized checkpoints name modules with: `lm_head`, `model.layers.0.mlp`, `model.layers.*.self_attn`,
// `re:.*mlp\.gate$`. They are taken apart into literal pieces, not run as regular expressions, and looked up by layer,
// so that no config can stall the reader.

/** Literal pieces between wildcards. */
type Pieces = readonly string[]

/** What a list of patterns names, ready to be asked for. */
export interface ModuleNames {
  /** Whether a pattern names the module of the layer (`self_attn.q_proj`) or something that it is part of. */
  has(layer: number, module: string): boolean
}

/** At most this many patterns come out of one with alternatives. */
const maxAlternatives = 64

export function moduleNames(patterns: readonly string[]): ModuleNames {
  const anyLayer: Pieces[] = []
  const byLayer = new Map<number, Pieces[]>()
  for (const glob of patterns.flatMap(globs)) {
    const pieces = glob.split('*')
    const layer = Number(/(?:^|\.)layers\.(\d+)(?:\.|$)/.exec(glob)?.[1] ?? Number.NaN)
    const list = Number.isNaN(layer) ? anyLayer : (byLayer.get(layer) ?? [])
    if (list !== anyLayer) byLayer.set(layer, list)
    list.push(pieces)
  }
  const general = remembered((module) => anyLayer.some((p) => matches(p, `layers.0.${module}`)))
  return {
    has: (layer, module) =>
      general(module) || (byLayer.get(layer) ?? []).some((p) => matches(p, `layers.${layer}.${module}`)),
  }
}

function remembered(answer: (key: string) => boolean): (key: string) => boolean {
  const known = new Map<string, boolean>()
  return (key) => {
    const found = known.get(key) ?? answer(key)
    known.set(key, found)
    return found
  }
}

/** A pattern as globs whose names start at `layers` or at a top module. */
function globs(pattern: string): string[] {
  const body = pattern.slice(0, 300)
  const plain = body.startsWith('re:') ? alternatives(body.slice(3)).map(wildcards) : [body]
  return plain.map(normalized)
}

/** Every choice of `(a|b)`; groups beyond the limit stay as they are and match nothing. */
function alternatives(pattern: string): string[] {
  let open = [pattern]
  for (;;) {
    const next = open.flatMap(choices)
    if (next.length === open.length || next.length > maxAlternatives) return open
    open = next
  }
}

function choices(pattern: string): string[] {
  const group = /\((?:\?:)?([^()]*\|[^()]*)\)/.exec(pattern)
  if (!group) return [pattern]
  const [before, after] = [pattern.slice(0, group.index), pattern.slice(group.index + group[0].length)]
  return (group[1] as string).split('|').map((choice) => before + choice + after)
}

/** A regular expression's wildcards, escapes and anchors as a glob's. */
function wildcards(pattern: string): string {
  return pattern
    .replaceAll('\\d+', '*')
    .replaceAll('[0-9]+', '*')
    .replaceAll('.*', '*')
    .replaceAll('\\.', '.')
    .replace(/\$$/, '')
    .replace(/^\^/, '')
}

/** Prefixes differ between a model and its wrapper. */
function normalized(name: string): string {
  return name
    .replaceAll('language_model.', '')
    .replace(/^(model|backbone|transformer)\./, '')
    .replace(/^(h|blocks)\./, 'layers.')
}

/** Pieces in order; at its ends a pattern without a wildcard starts and stops where a part of the name does. */
function matches(pieces: Pieces, name: string): boolean {
  const [first = '', ...rest] = pieces
  const starts = first === '' ? [0] : boundaries(name).filter((at) => name.startsWith(first, at))
  return starts.some((start) => {
    let at = start + first.length
    for (const piece of rest) {
      const found = name.indexOf(piece, at)
      if (found < 0) return false
      at = found + piece.length
    }
    return pieces.at(-1) === '' || at === name.length || name[at] === '.'
  })
}

function boundaries(name: string): number[] {
  const parts = [0]
  for (let i = 0; i < name.length; i++) if (name[i] === '.') parts.push(i + 1)
  return parts
}
