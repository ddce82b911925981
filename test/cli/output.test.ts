import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { checkWritable, writeWhole } from '../../cli/output.ts'
import { memwall, scratch } from './run.ts'

const folder = scratch()
const path = (name: string) => join(folder, name)
const predict = (...args: string[]) => memwall(['predict', 'llama-2-7b', '--on', 'h100-sxm', ...args], folder)

describe('--out', () => {
  it('writes what would be printed, in the format of the ending', async () => {
    const { stdout } = await predict('--json')
    const written = await predict('--out', 'a.json')
    expect(written).toEqual({ code: 0, stdout: '', stderr: '' })
    expect(readFileSync(path('a.json'), 'utf8')).toBe(stdout)
  })
})

describe('--plot', () => {
  it('draws a PNG beside the answer', async () => {
    const { code, stdout, stderr } = await predict('--plot', 'a.png', '--json')
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(JSON.parse(stdout).model).toBe('llama-2-7b')
    const png = readFileSync(path('a.png'))
    expect([...png.subarray(0, 8)]).toEqual([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])
    expect([png.readUInt32BE(16), png.readUInt32BE(20)]).toEqual([1200, 800])
    // Text and lines take room; an empty page of this size takes some 5 kB.
    expect(png.length).toBeGreaterThan(30_000)
  })

  it('draws an SVG of several machines', async () => {
    const args = ['compare', 'llama-2-7b', '--on', 'a100,h200,m1', '--plot', 'b.svg']
    const { code, stdout } = await memwall(args, folder)
    expect(code).toBe(0)
    expect(stdout).toContain('llama-2-7b on 3 machines')
    const svg = readFileSync(path('b.svg'), 'utf8')
    expect(svg).toMatch(/^<\?xml.*<svg[^>]*width="1200" height="800"/s)
    expect(svg).toMatch(/#0072B2/i)
  })

  it("draws a paper's curves", async () => {
    const { code } = await memwall(['reproduce', 'memory-wall', '--plot', 'c.png', '--out', 'c.md'], folder)
    expect(code).toBe(0)
    expect(readFileSync(path('c.png')).length).toBeGreaterThan(30_000)
    expect(readFileSync(path('c.md'), 'utf8')).toContain('| item | published |')
  })
})

describe('a written file', () => {
  it('is whole or not there, with nothing left beside it', () => {
    const own = join(folder, 'own')
    mkdirSync(own)
    writeWhole(join(own, 'x'), 'one')
    writeWhole(join(own, 'x'), 'two')
    expect(readFileSync(join(own, 'x'), 'utf8')).toBe('two')
    expect(() => writeWhole(join(own, 'absent', 'x'), 'three')).toThrow(/cannot write .*: no such folder/)
    expect(() => writeWhole(own, 'three')).toThrow(/it is a folder/)
    expect(readdirSync(own)).toEqual(['x'])
  })
  it('keeps the link that leads to it', () => {
    writeFileSync(path('real'), 'old')
    symlinkSync(path('real'), path('link'))
    writeWhole(path('link'), 'new')
    expect(readFileSync(path('real'), 'utf8')).toBe('new')
  })
  it('may be a device', () => {
    writeWhole('/dev/null', 'x')
    checkWritable('/dev/null')
  })
  it('is refused before any work where its folder is missing', () => {
    expect(() => checkWritable(path('absent/x'))).toThrow('no such folder')
    expect(() => checkWritable(join(path('real'), 'x'))).toThrow('a part of the path is not a folder')
  })
})
