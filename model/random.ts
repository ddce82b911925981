// Random numbers that a seed repeats on every machine: xoshiro128** 1.1 (Blackman and Vigna, 2018), its state filled by
// SplitMix32. Not for secrets.

/** Draws uniform in [0, 1), with 53 random bits. */
export type Random = () => number

/** A source of uniform numbers; equal seeds give equal sequences. `seed`: any whole number, its lowest 53 bits count. */
export function seeded(seed: number): Random {
  const next32 = xoshiro(seed)
  return () => {
    const high = next32() >>> 5
    const low = next32() >>> 6
    return (high * 67108864 + low) / 9007199254740992
  }
}

/** Whole numbers in [0, 2^32) from the same generator. */
export function xoshiro(seed: number): () => number {
  if (!Number.isSafeInteger(seed)) throw new RangeError(`seed: expected a whole number, got ${seed}`)
  const fill = splitMix(seed >>> 0, Math.floor(seed / 4294967296) | 0)
  let [a, b, c, d] = [fill(), fill(), fill(), fill()]
  return () => {
    const scaled = Math.imul(b, 5)
    const result = Math.imul((scaled << 7) | (scaled >>> 25), 9)
    const shifted = b << 9
    c ^= a
    d ^= b
    b ^= c
    a ^= d
    c ^= shifted
    d = (d << 11) | (d >>> 21)
    return result >>> 0
  }
}

function splitMix(low: number, high: number): () => number {
  let state = (low ^ Math.imul(high, 0x85ebca6b)) | 0
  return () => {
    state = (state + 0x9e3779b9) | 0
    let z = state ^ (state >>> 16)
    z = Math.imul(z, 0x21f0aaad)
    z ^= z >>> 15
    z = Math.imul(z, 0x735a2d97)
    return z ^ (z >>> 15)
  }
}

/** Draws from the standard normal distribution (Box and Muller's pairs). */
export function normals(random: Random): Random {
  let spare: number | undefined
  return () => {
    if (spare !== undefined) {
      const value = spare
      spare = undefined
      return value
    }
    const radius = Math.sqrt(-2 * Math.log(1 - random()))
    const angle = 2 * Math.PI * random()
    spare = radius * Math.sin(angle)
    return radius * Math.cos(angle)
  }
}
