// A recorded search: its nodes as JSON Lines, written by a user from a real one.
//
//   {"node": 0, "parent": null, "tokens": 120, "truth": "42"}
//   {"node": 1, "parent": 0, "tokens": 57, "reward": 0.93, "embedding": [0.1, …], "answer": "42"}
//
// A problem is a node without a parent: its tokens are the prompt's, and `truth` the right answer where it is known.
// `reward` is what the reward model says of the step, `embedding` the step's own (all of one length; only coverage needs
// it), `answer` ends a path. `problem` (any value) tells problems apart that use the same names of nodes.
//
// Replaying takes a node's first children in the order of the file, and says where a recording has fewer than asked.
import { fail, type Line, number, parseLines, TraceError, whole } from '../speculation/lines.ts'
import type { Node, Problem, Source } from './node.ts'

export interface Recorded extends Node {
  readonly parent: Recorded | undefined
  readonly children: Recorded[]
  readonly embedding: readonly number[] | undefined
  readonly line: number
  /** Whether a right answer was recorded below; known once all nodes are. */
  correct?: boolean
}

export interface SearchTrace extends Source<Recorded> {
  /** Length of the embeddings; undefined where there are none. */
  readonly embeddingSize: number | undefined
}

/** Reads a trace. Throws TraceError with the number of a line that is wrong. */
export function parseSearchTrace(content: string): SearchTrace {
  return searchTraceOf(parseLines(content))
}

interface Entry {
  readonly line: Line
  readonly id: string | number
  readonly parent: string | number | undefined
  readonly children: Entry[]
}

/** The trace that these lines hold. Throws TraceError. */
export function searchTraceOf(lines: readonly Line[]): SearchTrace {
  const groups = new Map<unknown, Map<string | number, Entry>>()
  for (const line of lines) {
    const problem = line.fields.problem ?? null
    if (typeof problem === 'object' && problem !== null) fail(line.at, 'problem: expected a name or a number')
    const entries = groups.get(problem) ?? new Map<string | number, Entry>()
    groups.set(problem, entries)
    const entry = entryOf(line)
    const known = entries.get(entry.id)
    if (known !== undefined)
      fail(line.at, `expected a node once, got ${entry.id} again (first in line ${known.line.at})`)
    entries.set(entry.id, entry)
  }
  if (groups.size === 0) throw new TraceError('expected a line of JSON for each node, got none')
  const sizes = new Sizes()
  const problems = [...groups.values()].map((entries) => problemOf(entries, sizes))
  return {
    problems: problems.length,
    embeddingSize: sizes.size,
    problem: (index) => problems[index] as Problem & { readonly root: Recorded },
    expand: (node, width) => node.children.slice(0, width),
    embedding: ({ embedding, line }) =>
      embedding ?? fail(line, 'embedding: expected one, which coverage needs, got none'),
  }
}

function entryOf(line: Line): Entry {
  const id = nameOf(line, 'node')
  if (id === undefined) fail(line.at, 'expected node, got none')
  return { line, id, parent: nameOf(line, 'parent'), children: [] }
}

function nameOf({ at, fields }: Line, field: string): string | number | undefined {
  const value = fields[field]
  if (value === undefined || value === null) return undefined
  if (typeof value === 'string' || (typeof value === 'number' && Number.isFinite(value))) return value
  return fail(at, `${field}: expected a name or a number, got ${JSON.stringify(value)}`)
}

/** Embeddings of one file have one length, or there are none. */
class Sizes {
  size: number | undefined
  private first: number | undefined

  check({ at, fields }: Line): readonly number[] | undefined {
    const { embedding } = fields
    const size = embedding === undefined || embedding === null ? undefined : vector(at, embedding).length
    if (this.first === undefined) [this.first, this.size] = [at, size]
    else if (size !== this.size) {
      const name = (n: number | undefined) => (n === undefined ? 'none' : `${n} ${n === 1 ? 'number' : 'numbers'}`)
      fail(at, `embedding: expected ${name(this.size)}, as in line ${this.first}, got ${name(size)}`)
    }
    return embedding as readonly number[] | undefined
  }
}

function vector(at: number, value: unknown): readonly unknown[] {
  if (!Array.isArray(value) || value.length === 0) fail(at, 'embedding: expected a list of numbers')
  if (!value.every((x) => typeof x === 'number' && Number.isFinite(x))) {
    fail(at, 'embedding: expected finite numbers alone')
  }
  if (value.every((x) => x === 0)) fail(at, 'embedding: expected a direction, got zeros alone')
  return value
}

function problemOf(entries: ReadonlyMap<string | number, Entry>, sizes: Sizes): Problem & { readonly root: Recorded } {
  const roots: Entry[] = []
  for (const entry of entries.values()) {
    if (entry.parent === undefined) roots.push(entry)
    else parentOf(entry, entries).children.push(entry)
  }
  checkCycles(entries)
  const [root, second] = roots
  if (root === undefined) throw new TraceError('expected a node without a parent, the problem itself, got none')
  if (second !== undefined) {
    const { at } = second.line
    fail(at, `expected a parent, or another problem than that of line ${root.line.at}, got a second node without one`)
  }
  return buildProblem(root, sizes)
}

function parentOf({ line, id, parent }: Entry, entries: ReadonlyMap<string | number, Entry>): Entry {
  const found = entries.get(parent as string | number)
  if (found === undefined) fail(line.at, `expected a parent that the file has, got ${parent} of node ${id}`)
  if (found.line.fields.answer !== undefined && found.line.fields.answer !== null) {
    fail(line.at, `expected a path to end with its answer (line ${found.line.at}), got a step after it`)
  }
  return found
}

/** Each node leads to one without a parent. */
function checkCycles(entries: ReadonlyMap<string | number, Entry>): void {
  const safe = new Set<Entry>()
  for (const entry of entries.values()) {
    const path = new Set<Entry>()
    let at: Entry | undefined = entry
    while (at !== undefined && !safe.has(at)) {
      if (path.has(at)) {
        const order = [...path]
        const cycle = order.slice(order.indexOf(at))
        const first = cycle.reduce((a, b) => (b.line.at < a.line.at ? b : a))
        fail(first.line.at, `expected a tree, got a cycle through node ${first.id}`)
      }
      path.add(at)
      at = at.parent === undefined ? undefined : entries.get(at.parent)
    }
    for (const e of path) safe.add(e)
  }
}

/** Nodes from the root on, in breadth: a deep trace must not run out of stack. */
function buildProblem(root: Entry, sizes: Sizes): Problem & { readonly root: Recorded } {
  const { truth } = root.line.fields
  const given = truth !== undefined && truth !== null
  if (given && typeof truth !== 'string' && typeof truth !== 'number') {
    fail(root.line.at, `truth: expected the right answer as text or a number, got ${JSON.stringify(truth)}`)
  }
  const known = given ? String(truth) : undefined
  const top = recorded(root, undefined, sizes)
  const made: [Entry, Recorded][] = [[root, top]]
  for (const [entry, node] of made) {
    for (const child of entry.children) {
      const next = recorded(child, node, sizes)
      node.children.push(next)
      made.push([child, next])
    }
  }
  if (known === undefined) return { root: top }
  for (const [, node] of made.reverse()) {
    node.correct = node.terminal ? node.answer === known : node.children.some((c) => c.correct)
  }
  return { root: top, truth: known }
}

function recorded(entry: Entry, parent: Recorded | undefined, sizes: Sizes): Recorded {
  const { line, id } = entry
  const { answer } = line.fields
  if (answer !== undefined && answer !== null && typeof answer !== 'string' && typeof answer !== 'number') {
    fail(line.at, `answer: expected text or a number, got ${JSON.stringify(answer)}`)
  }
  const ends = answer !== undefined && answer !== null
  if (parent === undefined && ends) fail(line.at, 'expected truth for the right answer of a problem, got answer')
  const tokens = whole(line, 'tokens')
  const step = { tokens, children: [], line: line.at, terminal: ends, ...(ends && { answer: String(answer) }) }
  if (parent === undefined) return { ...step, id, parent, depth: 0, path: 0, reward: 1, embedding: undefined }
  if (tokens === 0) fail(line.at, 'tokens: expected a step of one token at least, got 0')
  const place = { id, parent, depth: parent.depth + 1, path: parent.path + tokens }
  return { ...step, ...place, reward: number(line, 'reward'), embedding: sizes.check(line) }
}
