// What the terminal takes: its width, and colour where there is a person to see it (NO_COLOR, no-color.org).
import { styleText } from 'node:util'

/** Columns that text output may fill: 80, fewer on a narrower terminal. */
export function columns(): number {
  const width = process.stdout.isTTY ? process.stdout.columns : undefined
  return Math.max(40, Math.min(80, width || 80))
}

export type Style = (text: string) => string

export interface Styles {
  readonly bold: Style
  readonly dim: Style
  readonly warning: Style
}

const same: Style = (text) => text
export const noStyles: Styles = { bold: same, dim: same, warning: same }

/** Styles for stdout: none where it is not a terminal or NO_COLOR is set. */
export function stylesFor(stream: { isTTY?: boolean }, env: NodeJS.ProcessEnv = process.env): Styles {
  if (!stream.isTTY || (env.NO_COLOR ?? '') !== '' || env.TERM === 'dumb') return noStyles
  const style = (name: 'bold' | 'dim' | 'yellow') => (text: string) => styleText(name, text)
  return { bold: style('bold'), dim: style('dim'), warning: style('yellow') }
}
