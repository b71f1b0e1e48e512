import { Problem } from './problem.js';
import type { Approved, Verification } from './wire.js';

/** Holds the promise of a check: what did not throw is approved. */
export function approved(v: Verification): Approved {
  if (v.status !== 'approved' || !v.proof) throw new Problem('unexpected_answer', { detail: 'A check was answered without refusal and is not approved.' });
  return v as Approved;
}
