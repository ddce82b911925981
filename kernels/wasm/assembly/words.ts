// Reads the words of a launch: addresses of buffers and whole numbers.

/** Word `i` as a number. */
export function word(args: usize, i: i32): i32 {
  return load<i32>(args + ((<usize>i) << 2))
}

/** Word `i` as an address. */
export function at(args: usize, i: i32): usize {
  return <usize>load<u32>(args + ((<usize>i) << 2))
}

export function least(a: i32, b: i32): i32 {
  return a < b ? a : b
}
