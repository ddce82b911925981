// A recorded trace of speculative decoding as JSON Lines, one line a round: {"drafted": 5, "accepted": 3}.
import { largestGamma } from './acceptance.ts'
import { fail, type Line, TraceError, whole } from './lines.ts'
import type { MeasuredRound } from './rate.ts'

/** Whether lines are of rounds, by the first. */
export function areRounds([first]: readonly Line[]): boolean {
  return first !== undefined && ('drafted' in first.fields || 'accepted' in first.fields)
}

/** The rounds that these lines hold. Throws TraceError. */
export function roundsOf(lines: readonly Line[]): MeasuredRound[] {
  if (lines.length === 0) throw new TraceError('expected a line of JSON for each round, got none')
  return lines.map((line) => {
    const [drafted, accepted] = [whole(line, 'drafted'), whole(line, 'accepted')]
    if (drafted > largestGamma) fail(line.at, `drafted: expected at most ${largestGamma} tokens, got ${drafted}`)
    if (accepted > drafted) fail(line.at, `accepted: expected at most the ${drafted} drafted tokens, got ${accepted}`)
    return { drafted, accepted }
  })
}
