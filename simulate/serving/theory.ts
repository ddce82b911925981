// Waiting times that queueing theory knows exactly, for Poisson arrivals. Seconds; they hold the simulator to account.

/** Mean wait of M/M/k (Erlang's C): arrivals per second, mean service seconds, servers. Infinite at and above capacity. */
export function erlangWait(rate: number, service: number, servers: number): number {
  const offered = rate * service
  if (offered >= servers) return Number.POSITIVE_INFINITY
  // Erlang B by its recursion, which no factorial overflows.
  let blocked = 1
  for (let k = 1; k <= servers; k++) blocked = (offered * blocked) / (k + offered * blocked)
  const waits = blocked / (1 - (offered / servers) * (1 - blocked))
  return (waits * service) / (servers - offered)
}

/** Mean wait of M/G/1 (Pollaczek and Khinchine); `variation` is the squared coefficient of variation: 0 for M/D/1. */
export function pollaczekWait(rate: number, service: number, variation: number): number {
  const load = rate * service
  return load >= 1 ? Number.POSITIVE_INFINITY : (load * service * (1 + variation)) / (2 * (1 - load))
}
