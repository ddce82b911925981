// Where a condition on one number turns true or false. Where it is known to turn at most once, by bisection; else by a
// scan of the whole range, each turn then narrowed. What was found on both sides of a root is its certificate.

export type Domain =
  | { readonly kind: 'whole' | 'real'; readonly from: number; readonly to: number }
  /** The values there are, rising. */
  | { readonly kind: 'list'; readonly items: readonly number[] }

/** The condition at a value: null where it cannot be decided there. */
export interface Test {
  readonly value: number
  readonly holds: boolean | null
}

export interface Root<T extends Test> {
  /** The outermost value on the side where the condition holds. */
  readonly value: number
  /** The neighbours between which it turns: next to each other for whole numbers. */
  readonly below: T
  readonly above: T
}

export interface Roots<T extends Test> {
  readonly roots: readonly Root<T>[]
  /** Whether it holds at the lowest value that could be decided. */
  readonly first: boolean
  readonly method: 'bisection' | 'scan'
  /** Widest distance of values looked at one after the other: what turns twice in between is not seen. 0: all were. */
  readonly resolution: number
  /** The same over the lower of the two. */
  readonly relative: number
  /** Values looked at. */
  readonly points: number
  /** Values at which it could not be decided. */
  readonly undecided: number
}

/** Whole ranges of up to this many values are looked at one by one. */
const exhaustive = 4096
/** Values of a scan of a longer range. */
const scanned = 2048
/** Values at which a bisection is checked not to have missed a second turn. */
const checks = 33
/** A real root is narrowed to this share of itself. */
const precision = 1e-9

/** Every value at which the condition turns. Throws RangeError where it can nowhere be decided. */
export async function findRoots<T extends Test>(
  domain: Domain,
  monotone: boolean,
  test: (value: number) => Promise<T>,
): Promise<Roots<T>> {
  if (monotone && domain.kind !== 'list') {
    const found = await bisected(domain, test)
    if (found) return found
  }
  const values = domain.kind === 'list' ? domain.items : scanValues(domain, scanned)
  return scan(domain, values, test)
}

/** One turn at most; undefined where the ends or a check say otherwise. */
async function bisected<T extends Test>(
  domain: { readonly kind: 'whole' | 'real'; readonly from: number; readonly to: number },
  test: (value: number) => Promise<T>,
): Promise<Roots<T> | undefined> {
  const tests: T[] = []
  for (const value of scanValues(domain, checks, checks)) tests.push(await test(value))
  if (tests.some((t) => t.holds === null)) return undefined
  const turns = tests.slice(1).flatMap((t, i) => (t.holds === (tests[i] as T).holds ? [] : [i]))
  if (turns.length > 1) return undefined
  const [turn] = turns
  const first = (tests[0] as T).holds === true
  const same = { first, method: 'bisection' as const, points: tests.length, undecided: 0 }
  if (turn === undefined) return { roots: [], ...same, resolution: 0, relative: 0 }
  const root = await narrow(domain.kind, tests[turn] as T, tests[turn + 1] as T, test)
  const resolution = root.above.value - root.below.value
  return { roots: [root], ...same, resolution, relative: resolution / root.below.value }
}

async function scan<T extends Test>(
  domain: Domain,
  values: readonly number[],
  test: (value: number) => Promise<T>,
): Promise<Roots<T>> {
  const roots: Root<T>[] = []
  let last: T | undefined
  let first: boolean | undefined
  let undecided = 0
  let resolution = 0
  let relative = 0
  for (const value of values) {
    const here = await test(value)
    if (here.holds === null) {
      undecided++
      continue
    }
    first ??= here.holds
    if (last !== undefined) {
      // Between neighbours nothing can hide.
      const gap =
        domain.kind === 'list' || (domain.kind === 'whole' && value - last.value === 1) ? 0 : value - last.value
      resolution = Math.max(resolution, gap)
      relative = Math.max(relative, gap / Math.abs(last.value || 1))
      if (last.holds !== here.holds) roots.push(await narrow(domain.kind, last, here, test))
    }
    last = here
  }
  if (first === undefined) throw new RangeError('expected a condition that can be decided somewhere in the range')
  return { roots, first, method: 'scan', resolution, relative, points: values.length, undecided }
}

/** Bisects between two values at which the condition differs. */
async function narrow<T extends Test>(
  kind: Domain['kind'],
  low: T,
  high: T,
  test: (value: number) => Promise<T>,
): Promise<Root<T>> {
  let [below, above] = [low, high]
  while (kind !== 'list') {
    const done = kind === 'whole' ? above.value - below.value <= 1 : above.value / below.value - 1 <= precision
    if (done) break
    const middle = (below.value + above.value) / 2
    const value = kind === 'whole' ? Math.floor(middle) : middle
    if (value <= below.value || value >= above.value) break
    const here = await test(value)
    if (here.holds === null) break
    if (here.holds === below.holds) below = here
    else above = here
  }
  return { value: below.holds ? below.value : above.value, below, above }
}

/** All values of a short whole range, else `n` of them, evenly by their logarithm where they span a factor of 16. */
function scanValues(
  { kind, from, to }: { readonly kind: 'whole' | 'real'; readonly from: number; readonly to: number },
  n: number,
  all = exhaustive,
): number[] {
  const size = to - from + 1
  if (kind === 'whole' && size <= all) return Array.from({ length: size }, (_, i) => from + i)
  const grows = from > 0 && to / from > 16
  const values: number[] = []
  for (let i = 0; i < n; i++) {
    const t = i / (n - 1)
    const exact = i === n - 1 ? to : grows ? from * (to / from) ** t : from + (to - from) * t
    const value = kind === 'whole' ? Math.round(exact) : exact
    if (value !== values.at(-1)) values.push(value)
  }
  return values
}
