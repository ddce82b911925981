// Comma-separated files with a header row, quotes as in RFC 4180.

export type Line = Readonly<Record<string, string>>

/** The rows of a file, by column. */
export function readCsv(text: string): Line[] {
  const [header, ...rows] = records(text)
  if (header === undefined) return []
  return rows.map((cells) => Object.fromEntries(header.map((name, i) => [name, cells[i] ?? ''])))
}

function records(text: string): string[][] {
  const out: string[][] = []
  let cells: string[] = []
  let cell = ''
  let quoted = false
  const end = () => {
    cells.push(cell)
    cell = ''
    if (cells.length > 1 || cells[0] !== '') out.push(cells)
    cells = []
  }
  for (let i = 0; i < text.length; i++) {
    const c = text[i] as string
    if (quoted) {
      if (c !== '"') cell += c
      else if (text[i + 1] === '"') {
        cell += c
        i++
      } else quoted = false
    } else if (c === '"') quoted = true
    else if (c === ',') {
      cells.push(cell)
      cell = ''
    } else if (c === '\n') end()
    else if (c !== '\r') cell += c
  }
  if (cell !== '' || cells.length > 0) end()
  return out
}
