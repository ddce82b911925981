// Expressions over the keys of an answer: `tokens_per_s / price_per_hour`, `memory.fits and limit == "memory"`. mathjs
// parses them and does nothing else: what it parsed is checked against the list below and compiled here into closures,
// so that no function of mathjs, no assignment and no property of an object can be reached from the text. Its bundle is
// one file, which loads several times as fast as its modules.
import type { MathNode } from 'mathjs'
import { nearestHint } from '../model/nearest.ts'

/** What an expression may meet: the leaves of an answer. Null is a figure that does not apply. */
export type Leaf = number | boolean | string | null

/** Finds a name's value; undefined where there is no such name. */
export type Lookup = (path: string) => Leaf | undefined

export interface Expression {
  readonly text: string
  /** The names that it reads. */
  readonly names: readonly string[]
  /** Null where a figure that it needs is null, or its result is not a finite number, as after a division by zero. */
  evaluate(lookup: Lookup): Leaf
  /** Both sides of a comparison that is the whole expression, for those who want to see how far apart they are. */
  readonly sides?: {
    readonly sign: string
    readonly left: Expression
    readonly right: Expression
  }
}

type Compiled = (lookup: Lookup) => Leaf

const functions: Readonly<Record<string, (...x: number[]) => number>> = {
  abs: Math.abs,
  ceil: Math.ceil,
  exp: Math.exp,
  floor: Math.floor,
  log: Math.log,
  log10: Math.log10,
  log2: Math.log2,
  max: Math.max,
  min: Math.min,
  pow: Math.pow,
  round: Math.round,
  sqrt: Math.sqrt,
}

const arithmetic: Readonly<Record<string, (a: number, b: number) => number>> = {
  add: (a, b) => a + b,
  subtract: (a, b) => a - b,
  multiply: (a, b) => a * b,
  divide: (a, b) => a / b,
  mod: (a, b) => a - b * Math.floor(a / b),
  pow: Math.pow,
}

const comparisons: Readonly<Record<string, (a: Leaf, b: Leaf) => boolean>> = {
  smaller: (a, b) => (a as number) < (b as number),
  smallerEq: (a, b) => (a as number) <= (b as number),
  larger: (a, b) => (a as number) > (b as number),
  largerEq: (a, b) => (a as number) >= (b as number),
  equal: (a, b) => a === b,
  unequal: (a, b) => a !== b,
}

const known = `arithmetic, comparisons, and, or, not, a ? b : c, and ${Object.keys(functions).join(', ')}`

/** Compiles the text; `option` is what its errors begin with. Throws RangeError where it is anything but arithmetic. */
export async function parseExpression(option: string, text: string): Promise<Expression> {
  const { default: mathjs } = await import('mathjs/lib/browser/math.js')
  let node: MathNode
  try {
    node = mathjs.parse(text)
  } catch (error) {
    throw new RangeError(`${option}: ${(error as Error).message} in ${text}`)
  }
  return new Compiler(option, text).expression(node)
}

class Compiler {
  readonly option: string
  readonly text: string

  constructor(option: string, text: string) {
    this.option = option
    this.text = text
  }

  expression(node: MathNode): Expression {
    const names = new Set<string>()
    const compiled = this.compile(node, names)
    const { fn, args } = node as unknown as { fn: string; args: MathNode[] }
    const compares = node.type === 'OperatorNode' && Object.hasOwn(comparisons, fn)
    const [left, right] = compares ? args.map((side) => this.expression(side)) : []
    const { op } = node as unknown as { op: string }
    return {
      text: node.toString(),
      names: [...names],
      evaluate: (lookup) => {
        const value = compiled(lookup)
        return typeof value === 'number' && !Number.isFinite(value) ? null : value
      },
      ...(left && right && { sides: { sign: op, left, right } }),
    }
  }

  private refuse(what: string): never {
    throw new RangeError(`${this.option}: expected ${known}; got ${what} in ${this.text}`)
  }

  private compile(node: MathNode, names: Set<string>): Compiled {
    const n = node as unknown as {
      type: string
      value: unknown
      name: string
      fn: string
      op: string
      implicit: boolean
      args: MathNode[]
      content: MathNode
      condition: MathNode
      trueExpr: MathNode
      falseExpr: MathNode
      params: MathNode[]
      conditionals: string[]
    }
    switch (n.type) {
      case 'ConstantNode':
        return this.constant(n.value)
      case 'ParenthesisNode':
        return this.compile(n.content, names)
      case 'SymbolNode':
      case 'AccessorNode':
        return this.name(node, names)
      case 'ConditionalNode':
        return this.choice(n.condition, n.trueExpr, n.falseExpr, names)
      case 'RelationalNode':
        return this.chain(n.params, n.conditionals, names)
      case 'OperatorNode':
        if (n.implicit) this.refuse('two things without a sign between them')
        return this.operator(n.fn, n.op, n.args, names)
      case 'FunctionNode':
        return this.call(n.fn, n.args, names)
      default:
        return this.refuse(describe(n.type))
    }
  }

  private constant(value: unknown): Compiled {
    if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'string') return () => value
    return this.refuse(String(value))
  }

  private name(node: MathNode, names: Set<string>): Compiled {
    const path = pathOf(node)
    if (path === undefined) return this.refuse('an index')
    if (path === 'true' || path === 'false') return () => path === 'true'
    names.add(path)
    return (lookup) => lookup(path) ?? null
  }

  private choice(condition: MathNode, yes: MathNode, no: MathNode, names: Set<string>): Compiled {
    const [test, a, b] = [condition, yes, no].map((part) => this.compile(part, names)) as [Compiled, Compiled, Compiled]
    return (lookup) => {
      const holds = this.truth(test(lookup))
      return holds === null ? null : holds ? a(lookup) : b(lookup)
    }
  }

  private chain(params: MathNode[], signs: string[], names: Set<string>): Compiled {
    const parts = params.map((part) => this.compile(part, names))
    const steps = signs.map((sign, i) => this.comparison(sign, parts[i] as Compiled, parts[i + 1] as Compiled))
    return (lookup) => steps.reduce<Leaf>((all, step) => (all === true ? step(lookup) : all), true)
  }

  private comparison(sign: string, a: Compiled, b: Compiled): Compiled {
    const compare = comparisons[sign]
    if (compare === undefined) return this.refuse(sign)
    const ordered = sign !== 'equal' && sign !== 'unequal'
    return (lookup) => {
      const [left, right] = [a(lookup), b(lookup)]
      if (left === null || right === null) return null
      if (typeof left !== typeof right || (ordered && typeof left !== 'number')) {
        this.fail(`${ordered ? 'two numbers' : 'two values of one kind'} to compare`, left, right)
      }
      return compare(left, right)
    }
  }

  private operator(fn: string, op: string, args: MathNode[], names: Set<string>): Compiled {
    const parts = args.map((part) => this.compile(part, names))
    const [a, b] = parts as [Compiled, Compiled]
    if (fn === 'not') return (lookup) => negated(this.truth(a(lookup)))
    if (fn === 'unaryMinus') return (lookup) => this.numeric([a], lookup, ([x = 0]) => -x)
    if (fn === 'unaryPlus') return (lookup) => this.numeric([a], lookup, ([x = 0]) => x)
    if (fn === 'and' || fn === 'or') return this.both(fn, a, b)
    if (Object.hasOwn(comparisons, fn)) return this.comparison(fn, a, b)
    const compute = Object.hasOwn(arithmetic, fn) ? arithmetic[fn] : undefined
    if (compute === undefined || parts.length !== 2) return this.refuse(op)
    if (fn === 'divide') this.checkDivisor(args[1] as MathNode, b)
    return (lookup) => this.numeric(parts, lookup, ([x = 0, y = 0]) => compute(x, y))
  }

  /** A divisor that is zero whatever the answer is a mistake; one that may be zero somewhere gives null there. */
  private checkDivisor(node: MathNode, divisor: Compiled): void {
    let constant = true
    node.traverse((part) => {
      if (part.type === 'SymbolNode' || part.type === 'AccessorNode') constant = false
    })
    if (constant && divisor(() => undefined) === 0) {
      throw new RangeError(`${this.option}: expected a divisor other than 0; got a division by zero in ${this.text}`)
    }
  }

  private both(fn: 'and' | 'or', a: Compiled, b: Compiled): Compiled {
    const decided = fn === 'or'
    return (lookup) => {
      const left = this.truth(a(lookup))
      if (left === decided) return decided
      const right = this.truth(b(lookup))
      if (right === decided) return decided
      return left === null || right === null ? null : !decided
    }
  }

  private call(fn: unknown, args: MathNode[], names: Set<string>): Compiled {
    const path = typeof fn === 'string' ? fn : pathOf(fn as MathNode)
    if (path === undefined || !Object.hasOwn(functions, path)) {
      return this.refuse(path === undefined ? 'a call' : `the function ${path}`)
    }
    const compute = functions[path] as (...x: number[]) => number
    const many = path === 'min' || path === 'max'
    const wanted = path === 'pow' ? 2 : 1
    if (many ? args.length === 0 : args.length !== wanted) this.refuse(`${path} of ${args.length}`)
    const parts = args.map((part) => this.compile(part, names))
    return (lookup) => this.numeric(parts, lookup, (x) => compute(...x))
  }

  private numeric(parts: readonly Compiled[], lookup: Lookup, compute: (x: number[]) => number): Leaf {
    const x: number[] = []
    for (const part of parts) {
      const value = part(lookup)
      if (value === null) return null
      if (typeof value !== 'number') this.fail('numbers', value)
      x.push(value as number)
    }
    const value = compute(x)
    return Number.isNaN(value) ? null : value
  }

  private truth(value: Leaf): boolean | null {
    if (value === null || typeof value === 'boolean') return value
    return this.fail('true or false, such as a comparison', value)
  }

  private fail(expected: string, ...got: Leaf[]): never {
    throw new RangeError(
      `${this.option}: expected ${expected}, got ${got.map((v) => JSON.stringify(v)).join(' and ')} in ${this.text}`,
    )
  }
}

function negated(value: boolean | null): boolean | null {
  return value === null ? null : !value
}

/** `memory.fits` of a chain of names; undefined where anything else is in it. */
function pathOf(node: MathNode): string | undefined {
  const n = node as unknown as {
    type: string
    name: string
    object: MathNode
    index: { dimensions: MathNode[]; dotNotation: boolean }
  }
  if (n.type === 'SymbolNode') return n.name
  if (n.type !== 'AccessorNode' || !n.index.dotNotation) return undefined
  const object = pathOf(n.object)
  return object === undefined ? undefined : `${object}.${n.name}`
}

const kinds: Readonly<Record<string, string>> = {
  AssignmentNode: 'an assignment (== compares)',
  FunctionAssignmentNode: 'a definition of a function',
  BlockNode: 'several expressions',
  ArrayNode: 'a list',
  ObjectNode: 'an object',
  RangeNode: 'a range',
}

function describe(type: string): string {
  return kinds[type] ?? type
}

/** Throws RangeError where the expression reads a name that the answer does not have. */
export function checkNames(option: string, expression: Expression, lookup: Lookup, all: readonly string[]): void {
  for (const name of expression.names) {
    if (lookup(name) !== undefined) continue
    const near = nearestHint(name, all)
    throw new RangeError(
      `${option}: expected a key of the answer, got ${name}${near || '; `predict --json` prints them'}`,
    )
  }
}

/** Every leaf's path of an answer: `tokens_per_s`, `memory.fits`. Lists are left out. */
export function leafPaths(answer: object, prefix = ''): string[] {
  return Object.entries(answer).flatMap(([key, value]: [string, unknown]) => {
    if (Array.isArray(value)) return []
    if (typeof value === 'object' && value !== null) return leafPaths(value, `${prefix}${key}.`)
    return [`${prefix}${key}`]
  })
}

/** The leaf at a path of own keys; null stands for everything below a null; undefined where there is none. */
export function leafAt(answer: object, path: string): Leaf | undefined {
  let at: unknown = answer
  for (const key of path.split('.')) {
    if (at === null) return null
    if (typeof at !== 'object' || !Object.hasOwn(at, key)) return undefined
    at = (at as Record<string, unknown>)[key]
  }
  return typeof at === 'object' && at !== null ? undefined : (at as Leaf)
}
