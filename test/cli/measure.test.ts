// What `memwall measure` answers with where a kernel cannot be run, and where one can: on the processor, which is always
// there.
import { describe, expect, it } from 'vitest'
import { memwall, scratch } from './run.ts'

// Whatever this machine was calibrated to.
process.env.XDG_CONFIG_HOME = scratch()

describe('memwall measure', () => {
  it('fails with the reason where a kernel could not be run, and still answers', async () => {
    const { code, stdout } = await memwall([
      'measure',
      'decoder-layer',
      '--backend',
      'wasm',
      '--shape',
      'tokens=9',
      '--json',
    ])
    expect(code).toBe(1)
    const { rows, failed } = JSON.parse(stdout)
    expect(rows).toEqual([])
    expect(failed).toMatchObject([{ kernel: 'decoder-layer', shape: { tokens: 9, width: 4096 } }])
    expect(failed[0].why).toContain('cannot run it')
  })

  it('sets a library beside what it measured', async () => {
    const asked = ['measure', 'gemm', '--shape', 'm=9,n=17,k=33', '--backend', 'wasm']
    const { code, stdout } = await memwall([...asked, '--against', 'tfjs', '--json'])
    expect(code).toBe(0)
    const { rows, library, against } = JSON.parse(stdout)
    expect(library).toBeNull()
    expect(rows).toMatchObject([{ kernel: 'gemm', checked: true }])
    expect(against).toMatchObject({
      backend: 'tfjs',
      library: { name: 'TensorFlow.js', version: '4.22.0', backend: 'wasm' },
      failed: [],
    })
    const [{ ratio, median_s, against_s }] = against.rows
    expect(ratio).toBe(against_s / median_s)
  })

  it('says which of the kernels named no shape fits', async () => {
    const asked = ['measure', 'softmax', 'rms-norm', 'fma', '--shape', 'rows=9', '--shape', 'rows=8,residual=1']
    const { code, stdout } = await memwall([...asked, '--backend', 'wasm', '--json'])
    expect(code).toBe(0)
    const { rows, warnings } = JSON.parse(stdout)
    expect(rows.map((r: { kernel: string }) => r.kernel)).toEqual(['softmax', 'rms-norm', 'rms-norm'])
    expect(warnings).toContain('fma was not measured: no --shape fits it, which has lanes, steps, bits')
  })

  it('says which kernels the library has not, where none is named', async () => {
    const asked = ['measure', '--backend', 'tfjs', '--shape', 'rows=9,width=8', '--json']
    const { stdout } = await memwall(asked)
    const { rows, warnings } = JSON.parse(stdout)
    expect(rows.map((r: { kernel: string }) => r.kernel)).toEqual(['layer-norm', 'softmax'])
    expect(warnings[0]).toMatch(/^not measured, since tfjs has none: stream-read, .*rms-norm/)
  })

  it('says so where the library has no such kernel', async () => {
    const { code, stdout } = await memwall(['measure', 'rms-norm', '--backend', 'tfjs', '--json'])
    expect(code).toBe(1)
    expect(JSON.parse(stdout).failed[0].why).toContain('cannot run it')
  })

  it('compares with another backend only', async () => {
    const { code, stderr } = await memwall(['measure', 'gemm', '--backend', 'wasm', '--against', 'wasm'])
    expect(code).toBe(2)
    expect(stderr).toContain('--against: expected another backend than --backend, got wasm')
  })

  it('refuses what no kernel has', async () => {
    const { code, stderr } = await memwall(['measure', 'softmax', '--shape', 'tokens=9'])
    expect(code).toBe(2)
    expect(stderr).toContain('--shape tokens=9: fits none of the kernels; softmax has rows, width, bits')
  })
})
