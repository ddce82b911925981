// The order of the rooms: a file imports only from its own room and from those before it, pure rooms touch no Node API,
// and nothing imports in a circle.
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize, relative, sep } from 'node:path'
import { describe, expect, it } from 'vitest'

const rooms = ['model', 'hardware', 'simulate', 'kernels', 'cli'] as const
const pure = ['model', 'hardware', 'simulate']
const root = join(import.meta.dirname, '..')

interface Import {
  readonly from: string
  readonly to: string
  readonly lazy: boolean
  readonly typeOnly: boolean
}

/** Import specifiers of a source text. Type-only imports count against the order, not against cycles. */
function importsOf(source: string): { specifier: string; lazy: boolean; typeOnly: boolean }[] {
  const code = source.replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '')
  const pattern = /(?:\b(import|export)\s+(type\s+)?(?:[\w*{}\s,$]+?\sfrom\s+)?|\b(import)\(\s*)['"]([^'"]+)['"]/g
  return [...code.matchAll(pattern)].map((m) => ({
    specifier: m[4] as string,
    lazy: m[3] !== undefined,
    typeOnly: m[2] !== undefined,
  }))
}

function files(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((f) => f.isFile() && f.name.endsWith('.ts'))
    .map((f) => relative(root, join(f.parentPath, f.name)).split(sep).join('/'))
}

const sources = rooms.flatMap((r) => files(join(root, r)))
const edges: Import[] = sources.flatMap((from) =>
  importsOf(readFileSync(join(root, from), 'utf8')).map((i) => ({
    from,
    to: i.specifier.startsWith('.')
      ? normalize(join(dirname(from), i.specifier))
          .split(sep)
          .join('/')
      : i.specifier,
    lazy: i.lazy,
    typeOnly: i.typeOnly,
  })),
)

function order(path: string): number {
  return rooms.findIndex((r) => path.startsWith(`${r}/`))
}

/** Imports against the order of the rooms, or of what a pure room may not touch. */
function violations(all: readonly Import[]): string[] {
  return all
    .filter(({ from, to }) => {
      const room = order(from)
      if (order(to) > room) return true
      const outside =
        !to.includes('/') || to.startsWith('node:')
          ? to.startsWith('node:')
          : to.startsWith('..') || to.startsWith('test/')
      return outside && (pure.includes(rooms[room] ?? '') || !to.startsWith('node:'))
    })
    .map(({ from, to }) => `${from} imports ${to}`)
}

/** A circle of static imports, as the files in it, or undefined. */
function circle(all: readonly Import[]): string[] | undefined {
  const next = new Map<string, string[]>()
  for (const { from, to, lazy, typeOnly } of all) {
    if (!lazy && !typeOnly) next.set(from, [...(next.get(from) ?? []), to])
  }
  const done = new Set<string>()
  const walk = (at: string, path: string[]): string[] | undefined => {
    if (path.includes(at)) return [...path.slice(path.indexOf(at)), at]
    if (done.has(at)) return undefined
    for (const to of next.get(at) ?? []) {
      const found = walk(to, [...path, at])
      if (found) return found
    }
    done.add(at)
    return undefined
  }
  for (const from of next.keys()) {
    const found = walk(from, [])
    if (found) return found
  }
  return undefined
}

describe('the rooms', () => {
  it('import in their order, and the pure ones no Node API', () => {
    expect(edges.length).toBeGreaterThan(50)
    expect(violations(edges)).toEqual([])
  })
  it('import in no circle', () => {
    expect(circle(edges)).toBeUndefined()
  })
  it('would be caught out of order', () => {
    const edge = (from: string, to: string) => ({ from, to, lazy: false, typeOnly: false })
    expect(violations([edge('model/a.ts', 'hardware/b.ts')])).toHaveLength(1)
    expect(violations([edge('simulate/a.ts', 'cli/b.ts')])).toHaveLength(1)
    expect(violations([edge('hardware/a.ts', 'node:fs')])).toHaveLength(1)
    expect(
      violations([edge('cli/a.ts', 'node:fs'), edge('kernels/a.ts', 'node:os'), edge('cli/a.ts', 'model/b.ts')]),
    ).toEqual([])
    expect(circle([edge('a', 'b'), edge('b', 'c'), edge('c', 'a')])).toEqual(['a', 'b', 'c', 'a'])
    expect(
      importsOf("import { x } from './a.ts'\nexport type { Y } from './b.ts'\nconst c = import('./c.json')"),
    ).toEqual([
      { specifier: './a.ts', lazy: false, typeOnly: false },
      { specifier: './b.ts', lazy: false, typeOnly: true },
      { specifier: './c.json', lazy: true, typeOnly: false },
    ])
  })
})
