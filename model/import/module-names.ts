// Patterns that quantized checkpoints name modules with: `lm_head`, `model.layers.0.mlp`, `model.layers.*.self_attn`,
// `re:.*mlp\.gate$`. They are matched by pieces, not run as regular expressions, so that no config can stall the reader.

/** Wildcards split a pattern; alternatives in parentheses are taken apart. */
const maxAlternatives = 32

/** Prefixes differ between a model and its wrapper; layers are counted from `layers`. */
function normalized(name: string): string {
  return name
    .replace(/^\^/, '')
    .replaceAll('language_model.', '')
    .replace(/^(model|backbone|transformer)\./, '')
    .replace(/^(h|blocks)\./, 'layers.')
}

function expanded(pattern: string): string[] {
  const group = /\((?:\?:)?([^()]*\|[^()]*)\)/.exec(pattern)
  if (!group) return [pattern]
  const [before, after] = [pattern.slice(0, group.index), pattern.slice(group.index + group[0].length)]
  const choices = (group[1] as string).split('|')
  return choices.slice(0, maxAlternatives).map((choice) => before + choice + after)
}

/** Whether a pattern names the module or something that it is part of. `name` starts at `layers` or at a top module. */
export function matches(pattern: string, name: string): boolean {
  const regular = pattern.startsWith('re:')
  const body = (regular ? pattern.slice(3) : pattern).slice(0, 300)
  return (regular ? expanded(body) : [body]).some((p) => matchesPieces(normalized(plain(p)), name))
}

/** A regular expression's wildcards and escapes as a glob's. */
function plain(pattern: string): string {
  return pattern
    .replaceAll('\\d+', '*')
    .replaceAll('[0-9]+', '*')
    .replace(/\.\*/g, '*')
    .replaceAll('\\.', '.')
    .replace(/\$$/, '')
}

/** Literal pieces in order; at its ends a pattern without a wildcard stops where a name's part does. */
function matchesPieces(glob: string, name: string): boolean {
  const pieces = glob.split('*')
  const first = pieces[0] as string
  const starts = first === '' ? [0] : boundaries(name).filter((at) => name.startsWith(first, at))
  return starts.some((start) => {
    let at = start + first.length
    for (const piece of pieces.slice(1)) {
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
