// The report of a file as JSON, text, picture and page; the page opened in a browser. And calibration on this machine.
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, it } from 'vitest'
import { reportPage } from '../../cli/report-page.ts'
import { reportOf } from '../../kernels/report.ts'
import { madeRun } from '../kernels/made-run.ts'
import { memwall, scratch } from './run.ts'

const folder = scratch()
const file = join(folder, 'measured.json')
writeFileSync(file, JSON.stringify(madeRun))

describe('report --from', () => {
  it('prints JSON, and writes a page and a picture', async () => {
    const [html, png] = [join(folder, 'report.html'), join(folder, 'report.png')]
    const { code, stdout, stderr } = await memwall(['report', '--from', file, '--html', html, '--png', png, '--json'])
    expect(stderr).toBe('')
    expect(code).toBe(0)
    const json = JSON.parse(stdout)
    expect(json).toMatchObject({
      machine: 'local',
      backend: 'wasm',
      by_limit: { ridge: null },
      speedups: [{ measured: 4 }],
    })
    expect(readFileSync(html, 'utf8')).toContain('<!doctype html>')
    expect(readFileSync(png).subarray(1, 4).toString()).toBe('PNG')
  })

  it('prints for people', async () => {
    const { code, stdout } = await memwall(['report', '--from', file])
    expect(code).toBe(0)
    expect(stdout).toContain('Error by regime')
    expect(stdout).toContain('gemv m=1,n=4096,k=4096,bits=32: expected 0.500x the measured time, its memory')
    for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(80)
  })

  it.each([
    [2, ['--from', 'none.json'], /none\.json: no such file/],
    [2, ['--from', file, '--backend', 'wasm'], /expected no --backend/],
    [1, ['--from', join(folder, 'other.json')], /other\.json: rows: expected/],
    [
      1,
      ['--from', join(folder, 'empty.json')],
      /empty\.json: expected rows that were predicted and measured, got none/,
    ],
    [2, ['--from', file, '--backend', 'cuda'], /cuda/],
    [1, ['--from', file, '--html', join(folder, 'none', 'x.html')], /cannot write/],
  ] as const)('exits %i for %j', async (expected, args, message) => {
    writeFileSync(join(folder, 'other.json'), JSON.stringify({ ...madeRun, rows: 3 }))
    writeFileSync(join(folder, 'empty.json'), JSON.stringify({ ...madeRun, rows: [], failed: [] }))
    const { code, stderr } = await memwall(['report', ...args])
    expect(stderr).toMatch(message)
    expect(stderr.trim().split('\n')).toHaveLength(1)
    expect(code).toBe(expected)
  })
})

const chromium = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((p) => existsSync(p))

describe('the page', () => {
  it('needs nothing from anywhere', async () => {
    const page = reportPage(await reportOf([madeRun]))
    const own = page.replace(/<script>[\s\S]*?<\/script>/g, '')
    expect(own).not.toMatch(/(src|href)=|https?:|@import|url\(/)
    expect(page).not.toContain('sourceMappingURL')
  })

  it('shows as text what would be markup', async () => {
    const hostile = { ...madeRun, machine: '<img src=x onerror=alert(1)>', warnings: ['</script><b>&'] }
    const page = reportPage(await reportOf([hostile]))
    expect(page).not.toContain('<img')
    expect(page).toContain('&lt;/script&gt;&lt;b&gt;&amp;')
  })

  it('draws its charts in a browser', async ({ skip }) => {
    if (chromium === undefined && process.env.CI === 'true') throw new Error('expected chromium in CI, got none')
    skip(chromium === undefined, 'no chromium')
    const path = join(folder, 'page.html')
    writeFileSync(path, reportPage(await reportOf([madeRun])))
    const dom = execFileSync(
      chromium as string,
      ['--headless', '--no-sandbox', '--disable-gpu', '--dump-dom', pathToFileURL(path).href],
      { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], timeout: 50_000 },
    )
    expect(dom).toContain('data-drawn="3"')
    // A canvas that chart.js took over has its style.
    expect(dom.match(/<canvas [^>]*style="[^"]*display: block/g)).toHaveLength(3)
  })
})

describe('calibrate', () => {
  it('measures this machine, which --on then takes', async () => {
    const to = join(folder, 'here.json')
    const { code, stdout, stderr } = await memwall(['calibrate', '--backend', 'wasm', '--to', to, '--json'])
    expect(stderr).toBe('')
    expect(code).toBe(0)
    const json = JSON.parse(stdout)
    expect(json).toMatchObject({ machine: 'local', file: to, backend: 'wasm', warnings: expect.any(Array) })
    expect(json.ceilings.read).toBeGreaterThan(1e8)
    const answer = await memwall(['predict', 'gpt2-small', '--on', to, '--json'])
    expect(JSON.parse(answer.stdout)).toMatchObject({ machine: 'local', calibration: 'measured' })
  })

  it('takes no device where it reads a file', async () => {
    const { code, stderr } = await memwall(['calibrate', '--from', 'x.csv', '--backend', 'wasm'])
    expect(stderr).toContain('expected no --backend and no --adapter')
    expect(code).toBe(2)
  })
})
