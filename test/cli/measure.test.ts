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

  it('refuses what no kernel has', async () => {
    const { code, stderr } = await memwall(['measure', 'softmax', '--shape', 'tokens=9'])
    expect(code).toBe(2)
    expect(stderr).toContain('--shape tokens=9: fits none of the kernels; softmax has rows, width, bits')
  })
})
