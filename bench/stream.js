// How much of a compiled loop's reading the wasm backend reaches, both in turn with the same threads: `npm run bench`
// prints it where gcc is. Upper quartiles, since other processes only ever take away.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openBackend } from '../dist/kernels/open.js'

const elements = 2 ** 25
const rounds = 9

function upperQuartile(rates) {
  return [...rates].sort((a, b) => a - b)[Math.floor(rates.length * 0.75)]
}

/** Bytes/s of both, or undefined where there is no gcc. */
export async function streamRates() {
  const folder = mkdtempSync(join(tmpdir(), 'memwall-bench-'))
  try {
    const program = join(folder, 'read')
    const source = fileURLToPath(new URL('read.c', import.meta.url))
    try {
      execFileSync('gcc', ['-O3', '-march=native', '-o', program, source, '-lpthread'], { stdio: 'ignore' })
    } catch {
      return undefined
    }
    const backend = await openBackend('wasm')
    const threads = backend.facts.threads
    const rates = { gcc: [], wasm: [] }
    try {
      const read = await backend.compile('read')
      const array = await backend.allocate(4 * elements)
      const sums = await backend.allocate(elements / 4096)
      await backend.fill(array, 'fp32', elements, { kind: 'normal', seed: 1 })
      for (let turn = 0; turn < 5; turn++) {
        const out = execFileSync(program, [threads, rounds], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
        rates.gcc.push(...out.trim().split('\n').map(Number))
        for (let round = 0; round < rounds; round++) {
          const seconds = await backend.time(() => backend.dispatch(read, [array, sums], [128, 1, 1], [elements, 16]))
          rates.wasm.push((4 * elements) / seconds)
        }
      }
    } finally {
      await backend.close()
    }
    return { threads, gcc: upperQuartile(rates.gcc), wasm: upperQuartile(rates.wasm) }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
