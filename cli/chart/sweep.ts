import type { Outcome } from '../sweep/run.ts'
import type { Sweep } from '../sweep/spec.ts'
export function checkDrawable(_s: Sweep): void {}
export async function plotSweep(_p: string, _s: Sweep, _o: Outcome): Promise<void> {}
