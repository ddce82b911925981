// The points that no other beats in both of two figures, kept while points stream by: memory for the front alone.
import type { Expression } from '../expression.ts'
import { parseExpression } from '../expression.ts'

export type Best = 'least' | 'most'

/** A figure to be made as small or as large as possible. */
export interface Objective {
  readonly expression: Expression
  readonly best: Best
}

const fewer = [
  /(^|\.)(bound|floor|expected)_s$/,
  /^time_(per_output|to_first)_token_s$/,
  /^(real_time_factor|price_per_hour|cost_per_million_tokens|joules_per_token|flops|devices)$/,
  /^(memory|bytes)\.(?!capacity)/,
]
const more = [/^tokens_per_(s|round)$/, /^speedup\./, /^arithmetic_intensity$/]

/** Which way a figure is better, where its name says; undefined where it does not. */
export function usualBest(name: string): Best | undefined {
  if (more.some((pattern) => pattern.test(name))) return 'most'
  return fewer.some((pattern) => pattern.test(name)) ? 'least' : undefined
}

/** An expression and, where it ends in :least or :most, which way it is better. */
export function splitWay(text: string): [body: string, way?: Best] {
  const [, body, way] = /^(.*):(least|most)$/s.exec(text) ?? []
  return body === undefined ? [text.trim()] : [body.trim(), way as Best]
}

/** `tokens_per_s`, or any expression with the way it is better: `bytes.total / flops:least`. Throws RangeError. */
export async function parseObjective(option: string, text: string): Promise<Objective> {
  const [body, way] = splitWay(text)
  const expression = await parseExpression(option, body)
  const best = way ?? usualBest(expression.text)
  if (best === undefined) {
    throw new RangeError(`${option}: expected :least or :most after ${body}, which does not say by itself`)
  }
  return { expression, best }
}

/** The two objectives of `x,y`; commas within brackets separate nothing. Throws RangeError. */
export async function parseObjectives(option: string, text: string): Promise<[x: Objective, y: Objective]> {
  const parts = outerParts(text)
  if (parts.length !== 2) throw new RangeError(`${option}: expected two figures, x,y; got ${text}`)
  const [x, y] = await Promise.all(parts.map((part) => parseObjective(option, part)))
  return [x as Objective, y as Objective]
}

function outerParts(text: string): string[] {
  const parts = ['']
  let depth = 0
  for (const letter of text) {
    if (letter === '(') depth++
    if (letter === ')') depth--
    if (letter === ',' && depth === 0) parts.push('')
    else parts[parts.length - 1] += letter
  }
  return parts
}

interface Kept<T> {
  readonly x: number
  readonly y: number
  readonly item: T
}

/** The front of what was added so far, in the order of x, the best first. */
export class Front<T> {
  private readonly kept: Kept<T>[] = []
  private readonly signX: number
  private readonly signY: number

  constructor(bestX: Best, bestY: Best) {
    this.signX = bestX === 'least' ? 1 : -1
    this.signY = bestY === 'least' ? 1 : -1
  }

  /** Whether it is on the front now; of equal points the first stays alone. */
  add(x: number, y: number, item: T): boolean {
    const [a, b] = [x * this.signX, y * this.signY]
    const at = this.firstAfter(a)
    const before = this.kept[at - 1]
    if (before && before.y * this.signY <= b) return false
    // What came before has less x and more y; only what follows can be beaten, and its equals in x.
    let begin = at
    while (begin > 0 && (this.kept[begin - 1] as Kept<T>).x * this.signX >= a) begin--
    let end = at
    while (end < this.kept.length && (this.kept[end] as Kept<T>).y * this.signY >= b) end++
    this.kept.splice(begin, end - begin, { x, y, item })
    return true
  }

  /** Index of the first kept point with a larger x. */
  private firstAfter(a: number): number {
    let [low, high] = [0, this.kept.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.kept[middle] as Kept<T>).x * this.signX <= a) low = middle + 1
      else high = middle
    }
    return low
  }

  points(): readonly Kept<T>[] {
    return this.kept
  }
}
