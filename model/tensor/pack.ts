// Codes of a few bits, packed without gaps: code i takes bits i*b to (i+1)*b of a little-endian stream. With 4 bits, eight
// codes to a 32-bit word, as the released kernels of KVQuant keep them.

/** Bytes of `count` codes. */
export function packedBytes(count: number, bits: number): number {
  return Math.ceil((count * bits) / 8)
}

/** Packs `codes` into `into` from byte `at`; the last byte is filled up with zeros. Codes are below 2^bits, bits at most 8. */
export function pack(
  codes: Uint8Array,
  bits: number,
  into: Uint8Array = new Uint8Array(packedBytes(codes.length, bits)),
  at = 0,
) {
  let held = 0
  let holds = 0
  let byte = at
  for (let i = 0; i < codes.length; i++) {
    held |= (codes[i] as number) << holds
    holds += bits
    while (holds >= 8) {
      into[byte++] = held & 255
      held >>>= 8
      holds -= 8
    }
  }
  if (holds > 0) into[byte] = held & 255
  return into
}

/** The codes that `pack` packed, into `codes`. */
export function unpack<T extends Uint8Array>(packed: Uint8Array, bits: number, codes: T, at = 0): T {
  const mask = (1 << bits) - 1
  let held = 0
  let holds = 0
  let byte = at
  for (let i = 0; i < codes.length; i++) {
    while (holds < bits) {
      held |= (packed[byte++] as number) << holds
      holds += 8
    }
    codes[i] = held & mask
    held >>>= bits
    holds -= bits
  }
  return codes
}
