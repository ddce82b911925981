// The tails of each channel's numbers, from a stream of tokens: enough of the smallest and the largest to know two
// percentiles exactly, whatever lies between.

export class Extremes {
  readonly #width: number
  readonly #tokens: number
  readonly #share: number
  readonly #low: Tails
  readonly #high: Tails
  #seen = 0

  /** For `tokens` rows of `width` channels and the percentiles `share` and 1 - `share`. */
  constructor(width: number, tokens: number, share: number) {
    const kept = Math.min(tokens, Math.floor((tokens - 1) * share) + 2)
    this.#width = width
    this.#tokens = tokens
    this.#share = share
    this.#low = new Tails(width, kept)
    this.#high = new Tails(width, kept)
  }

  /** Adds the row that begins at `at`. */
  add(data: Float32Array, at: number): void {
    this.#seen++
    for (let c = 0; c < this.#width; c++) {
      const x = data[at + c] as number
      this.#low.add(c, x)
      this.#high.add(c, -x)
    }
  }

  /** The percentiles of each channel, between neighbours in proportion; zeros where nothing was added. */
  bounds(): [low: Float64Array, high: Float64Array] {
    if (this.#seen === 0) return [new Float64Array(this.#width), new Float64Array(this.#width)]
    if (this.#seen !== this.#tokens) throw new RangeError(`expected ${this.#tokens} tokens, got ${this.#seen}`)
    const place = (this.#tokens - 1) * this.#share
    const high = this.#high.at(place)
    return [this.#low.at(place), high.map((x) => -x)]
  }
}

/** The smallest numbers of each channel: twice as many as are wanted are gathered, then the larger half is dropped. */
class Tails {
  readonly #kept: number
  readonly #room: number
  readonly #numbers: Float32Array
  readonly #count: Uint32Array
  /** What is not below this cannot be among the smallest. */
  readonly #limit: Float32Array

  constructor(width: number, kept: number) {
    this.#kept = kept
    this.#room = 2 * kept + 8
    this.#numbers = new Float32Array(width * this.#room)
    this.#count = new Uint32Array(width)
    this.#limit = new Float32Array(width).fill(Number.POSITIVE_INFINITY)
  }

  add(c: number, x: number): void {
    if (x >= (this.#limit[c] as number)) return
    const count = this.#count[c] as number
    this.#numbers[c * this.#room + count] = x
    this.#count[c] = count + 1
    if (count + 1 === this.#room) this.#drop(c)
  }

  #drop(c: number): void {
    this.#sorted(c)
    this.#limit[c] = this.#numbers[c * this.#room + this.#kept - 1] as number
    this.#count[c] = this.#kept
  }

  #sorted(c: number): Float32Array {
    return this.#numbers.subarray(c * this.#room, c * this.#room + (this.#count[c] as number)).sort()
  }

  /** The number at a place of each channel's order, between two in proportion. */
  at(place: number): Float64Array {
    const low = Math.floor(place)
    return Float64Array.from(this.#count, (_, c) => {
      const sorted = this.#sorted(c)
      const a = sorted[low] as number
      const b = sorted[Math.min(low + 1, sorted.length - 1)] as number
      return a + (b - a) * (place - low)
    })
  }
}
