// Every command block of the README, run as it stands with the built program on the path. The first two set up a fresh
// machine: `.ci/run` runs those.
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const root = join(import.meta.dirname, '../..')
const folder = mkdtempSync(join(tmpdir(), 'memwall-readme-'))
const readme = readFileSync(join(root, 'README.md'), 'utf8')
const blocks = [...readme.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map((m) => m[1] as string)

beforeAll(() => {
  const bin = join(folder, 'bin')
  mkdirSync(bin)
  const program = join(root, 'dist/cli/main.js')
  writeFileSync(join(bin, 'memwall'), `#!/bin/sh\nexec '${process.execPath}' '${program}' "$@"\n`, { mode: 0o755 })
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('the README', () => {
  it('opens with one command to run and one to test', () => {
    expect(blocks.length).toBeGreaterThan(3)
    expect(blocks[0]).toContain('memwall')
    expect(blocks[1]).toContain('npm test')
  })

  it.each(blocks.slice(2).map((b) => [b.trim()]))('%s', (block) => {
    const path = `${join(folder, 'bin')}${delimiter}${process.env.PATH}`
    const run = spawnSync('bash', ['-euo', 'pipefail', '-c', block], {
      cwd: folder,
      encoding: 'utf8',
      env: { ...process.env, PATH: path, NO_COLOR: '1' },
    })
    expect(run.stderr).toBe('')
    expect(run.status).toBe(0)
    expect(run.stdout.trim()).not.toBe('')
  })
})
