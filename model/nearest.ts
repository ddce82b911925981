// The names closest to a mistyped word, by edit distance (Levenshtein 1966). For error messages; it never decides what
// was meant.

/** At most `limit` of `names`, nearest first; none that differs from `word` in more than half of its letters. */
export function nearest(word: string, names: readonly string[], limit = 3): string[] {
  const most = Math.max(2, Math.ceil(word.length / 2))
  return names
    .map((name) => ({ name, distance: editDistance(word, name) }))
    .filter(({ distance }) => distance <= most)
    .sort((a, b) => a.distance - b.distance)
    .slice(0, limit)
    .map(({ name }) => name)
}

/** `; nearest: …` for the end of an error message, or nothing where no name is near. */
export function nearestHint(word: string, names: readonly string[]): string {
  const near = nearest(word, names)
  return near.length > 0 ? `; nearest: ${near.join(', ')}` : ''
}

/** Letters to insert, delete or replace to turn `a` into `b`. */
export function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (const [i, letter] of [...a].entries()) row = nextRow(row, i + 1, letter, b)
  return row[b.length] as number
}

/** Distances of one more letter of `a` to each beginning of `b`, from those without it. */
function nextRow(above: readonly number[], start: number, letter: string, b: string): number[] {
  const row = [start]
  for (let j = 1; j <= b.length; j++) {
    const replace = (above[j - 1] as number) + (letter === b[j - 1] ? 0 : 1)
    row.push(Math.min(replace, (above[j] as number) + 1, (row[j - 1] as number) + 1))
  }
  return row
}
