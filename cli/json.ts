// JSON that people wrote: where JSON.parse gives an offset in some versions of V8 and none in others, this finds the
// line and column itself and says what it expected there. It never accepts more than JSON does, but for a leading BOM.

/** Text that is not JSON; the message is one line, `path:line:column: expected …`. */
export class JsonError extends Error {
  override name = 'JsonError'
}

/** The value in `text`, read from the file at `path`. Throws a JsonError. */
export function parseJson(text: string, path: string): unknown {
  const body = text.startsWith('\uFEFF') ? text.slice(1) : text
  try {
    return JSON.parse(body)
  } catch (error) {
    const fault = findFault(body)
    if (fault === undefined) throw new JsonError(`${path}: ${(error as Error).message}`)
    const { line, column } = place(body, fault.at)
    throw new JsonError(`${path}:${line}:${column}: ${fault.message}`)
  }
}

/** Line and column, both from 1, of an offset. */
export function place(text: string, offset: number): { line: number; column: number } {
  const before = text.slice(0, offset).split(/\r\n|\r|\n/)
  return { line: before.length, column: (before.at(-1) ?? '').length + 1 }
}

export interface Fault {
  readonly at: number
  readonly message: string
}

const token =
  /[ \t\r\n]*(?:([{}[\],:])|("(?:[^"\\]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*")|(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)(?![\w.+-]))/y

type Awaited = 'a value' | 'a value or ]' | 'a key' | 'a key or }' | ':' | ', or ]' | ', or }' | 'the end'

/** The first place where `text` stops being JSON; undefined where it is JSON. */
export function findFault(text: string): Fault | undefined {
  if (text.trim() === '') return { at: 0, message: 'expected a JSON value, got an empty file' }
  const open: ('[' | '{')[] = []
  let awaited: Awaited = 'a value'
  token.lastIndex = 0
  for (let end = 0; ; ) {
    token.lastIndex = end
    const match = token.exec(text)
    if (match === null) return stopped(text, end, awaited)
    const [all, sign, string] = match
    const at = end + all.search(/[^ \t\r\n]/)
    const next = follow(awaited, sign ?? (string === undefined ? 'value' : 'string'), open)
    const raw = [...(string ?? '')].findIndex((letter) => letter < ' ')
    if (raw >= 0) return { at: at + raw, message: 'expected a string on one line, got a line break or tab inside it' }
    if (next === undefined) return { at, message: unexpected(awaited, text.slice(at, end + all.length)) }
    awaited = next
    end += all.length
  }
}

/** What is awaited after `got` where `awaited` was; undefined where it does not fit. */
function follow(awaited: Awaited, got: string, open: ('[' | '{')[]): Awaited | undefined {
  const closed = (): Awaited => {
    const inside = open.at(-1)
    return inside === undefined ? 'the end' : inside === '[' ? ', or ]' : ', or }'
  }
  if (awaited === 'a value' || awaited === 'a value or ]') {
    if (got === '[' || got === '{') {
      open.push(got)
      return got === '[' ? 'a value or ]' : 'a key or }'
    }
    if (got === 'value' || got === 'string') return closed()
  }
  if ((awaited === 'a key' || awaited === 'a key or }') && got === 'string') return ':'
  if (awaited === ':' && got === ':') return 'a value'
  if (awaited === ', or ]' && got === ',') return 'a value'
  if (awaited === ', or }' && got === ',') return 'a key'
  const closes = (got === ']' && /\]$/.test(awaited)) || (got === '}' && /\}$/.test(awaited))
  if (!closes) return undefined
  open.pop()
  return closed()
}

/** No token begins here: the end of the text, or something that JSON does not have. */
function stopped(text: string, end: number, awaited: Awaited): Fault | undefined {
  const rest = /[^ \t\r\n]/.exec(text.slice(end))
  if (rest === null) return awaited === 'the end' ? undefined : { at: text.length, message: unexpected(awaited, '') }
  const at = end + rest.index
  const odd = text.slice(at)
  if (odd.startsWith('"')) return { at, message: 'expected a string, got one without an end or with a wrong escape' }
  const word = /^(?:\/\/|\/\*|[\w.+-]+|.)/su.exec(odd)?.[0] ?? ''
  return { at, message: unexpected(awaited, word) }
}

function unexpected(awaited: Awaited, got: string): string {
  const shown = got === '' ? 'the end of the file' : got.length > 30 ? `${got.slice(0, 27)}...` : got
  const hint =
    awaited === 'a key' && got === '}'
      ? ' (a comma before it is one too many)'
      : awaited === 'a value' && got === ']'
        ? ' (a comma before it is one too many)'
        : got === '//' || got === '/*' || got === '#'
          ? ' (JSON has no comments)'
          : /^[-+]?(NaN|Infinity)$/.test(got)
            ? ' (JSON has no such number)'
            : ''
  return `expected ${awaited}, got ${shown}${hint}`
}
