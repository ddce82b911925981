// What a user installs: the packed tarball in an empty folder, as a command, as a library, and with its types.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const root = join(import.meta.dirname, '../..')
const folder = mkdtempSync(join(tmpdir(), 'memwall-package-'))
const run = (command: string, args: string[], cwd = folder) =>
  execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })

beforeAll(() => {
  // The build is there already; prepack would make it again under the other tests' feet.
  const packed = run('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', folder], root)
  const [{ filename }] = JSON.parse(packed) as [{ filename: string }]
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'user', private: true, type: 'module' }))
  run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', join(folder, filename)])
}, 180_000)

afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('the packed tarball', () => {
  it('runs as a command', () => {
    const out = run('npx', ['--no-install', 'memwall', 'predict', 'llama-2-7b', '--on', 'a100-80gb-sxm', '--json'])
    expect(JSON.parse(out)).toMatchObject({ model: 'llama-2-7b', machine: 'a100-80gb-sxm' })
  })

  it('runs as a library, with its types', () => {
    const program = `import { loadMachine, loadModel, predict, type Prediction } from 'memwall'
const answer: Prediction = predict({ architecture: await loadModel('gpt2-small'), machine: await loadMachine('t4') })
console.log(JSON.stringify(answer.memory))
`
    writeFileSync(join(folder, 'use.ts'), program)
    const compilerOptions = { module: 'nodenext', target: 'es2023', lib: ['es2023', 'dom'], strict: true, types: [] }
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['use.ts'] }))
    run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc')])
    const memory = JSON.parse(run(process.execPath, ['use.js']))
    expect(memory.fits).toBe(true)
  })

  it('holds what is needed and nothing else', () => {
    const own = join(folder, 'node_modules/memwall')
    const { version } = JSON.parse(readFileSync(join(own, 'package.json'), 'utf8')) as { version: string }
    expect(readFileSync(join(own, 'CHANGELOG.md'), 'utf8')).toContain(`## ${version}`)
    const listed = run('tar', ['tzf', join(folder, `memwall-${version}.tgz`)]).split('\n')
    expect(listed.filter((f) => /\.test\.|^package\/(test|bench|model)\//.test(f))).toEqual([])
    expect(listed.some((f) => f.endsWith('LICENSE'))).toBe(true)
  })
})
