// What a command answers: JSON, and the view of it that people read as text or Markdown, with the table behind --csv.
import { markdown, type Table, text, wrap } from './table.ts'
import type { Styles } from './terminal.ts'

export type Section =
  | { readonly kind: 'title'; readonly text: string; readonly under?: string }
  /** Label and value, one below the other. */
  | { readonly kind: 'facts'; readonly rows: readonly (readonly [label: string, value: string])[] }
  | { readonly kind: 'table'; readonly title?: string; readonly table: Table }
  | { readonly kind: 'notes'; readonly lines: readonly string[] }
  /** What the user should know before trusting the answer. */
  | { readonly kind: 'warnings'; readonly lines: readonly string[] }

export interface View {
  /** What --csv prints. */
  readonly table: Table
  readonly sections: readonly Section[]
}

export interface Answer {
  readonly json: unknown
  /** Only made where a person or a spreadsheet reads it. */
  view(): View | Promise<View>
}

/** The sections as text no wider than `width`, with an empty line between them. */
export async function textView(view: View, width: number, styles: Styles): Promise<string> {
  const parts: string[] = []
  for (const section of view.sections) {
    const part = await textSection(section, width, styles)
    if (part !== '') parts.push(part)
  }
  return parts.join('\n')
}

async function textSection(s: Section, width: number, styles: Styles): Promise<string> {
  switch (s.kind) {
    case 'title':
      return block(s.text, width, styles.bold) + (s.under === undefined ? '' : block(s.under, width))
    case 'facts':
      return facts(s.rows, width, styles)
    case 'table':
      return (s.title === undefined ? '' : block(s.title, width, styles.bold)) + (await text(s.table, width, styles))
    case 'notes':
      return s.lines.map((line) => block(line, width)).join('')
    case 'warnings':
      return s.lines.map((line) => hanging(styles.warning('! '), 2, line, width)).join('')
  }
}

function block(line: string, width: number, style = (text: string) => text): string {
  return wrap(line, width)
    .map((part) => `${style(part)}\n`)
    .join('')
}

function facts(rows: readonly (readonly [string, string])[], width: number, styles: Styles): string {
  const label = Math.max(0, ...rows.map(([name]) => name.length)) + 2
  return rows.map(([name, value]) => hanging(styles.dim(name.padEnd(label)), label, value, width)).join('')
}

function hanging(head: string, indent: number, value: string, width: number): string {
  return wrap(value, width - indent)
    .map((part, i) => `${i === 0 ? head : ' '.repeat(indent)}${part}`.trimEnd())
    .map((line) => `${line}\n`)
    .join('')
}

/** The same sections as GitHub Markdown. */
export function markdownView(view: View): string {
  return view.sections
    .map(markdownSection)
    .filter((part) => part !== '')
    .join('\n')
}

function markdownSection(s: Section): string {
  switch (s.kind) {
    case 'title':
      return `## ${s.text}\n${s.under === undefined ? '' : `\n${s.under}\n`}`
    case 'facts':
      return `| | |\n| --- | --- |\n${s.rows.map(([name, value]) => `| ${name} | ${value.replaceAll('|', '\\|')} |\n`).join('')}`
    case 'table':
      return `${s.title === undefined ? '' : `### ${s.title}\n\n`}${markdown(s.table)}`
    case 'notes':
      return s.lines.map((line) => `${line}\n`).join('\n')
    case 'warnings':
      return s.lines.map((line) => `- **Warning:** ${line}\n`).join('')
  }
}
