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
