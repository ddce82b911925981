import { describe, expect, it } from 'vitest'
import { disturbance, spent } from '../../cli/others.ts'

describe('other programs', () => {
  const before = { all: 100, own: 10, had: 400 }

  it('are silent where this one took what was taken', () => {
    expect(disturbance(before, { all: 130, own: 39.5, had: 440 })).toEqual([])
  })

  it('are named with their share of what there was', () => {
    const [line] = disturbance(before, { all: 130, own: 30, had: 440 })
    expect(line).toContain('other programs took 25 % of the processors')
  })

  it('are not blamed where no time passed', () => {
    expect(disturbance(before, before)).toEqual([])
  })

  it('are counted from the system', () => {
    const now = spent()
    expect(now.all).toBeGreaterThan(0)
    expect(now.own).toBeGreaterThan(0)
    expect(now.had).toBeGreaterThanOrEqual(now.all)
  })
})
