// Where Countersign is, and how its proofs are verified: here, without a call. Server only.

import 'server-only';
import { Countersign, ProofVerifier, memoryOnce } from '@countersign/sdk/server';

function need(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: see .env`);
  return value;
}

/** What a page may know. */
export const settings = () => ({ url: need('COUNTERSIGN_URL'), publishableKey: need('COUNTERSIGN_PUBLISHABLE_KEY') });

export const oidc = () => ({ issuer: need('COUNTERSIGN_URL'), clientId: need('COUNTERSIGN_CLIENT_ID'), clientSecret: need('COUNTERSIGN_CLIENT_SECRET') });

/** Calls Countersign as the shop itself, for its users' further factors. */
export const people = () => new Countersign({ url: need('COUNTERSIGN_URL'), key: need('COUNTERSIGN_SECRET_KEY') });

/**
 * One verifier for the process: it keeps the keys, and remembers which proofs were used. With more than one process that
 * memory belongs into your database, in the transaction that does what the proof allows.
 */
const kept = globalThis as { proofs?: ProofVerifier };
export const proofs = () => (kept.proofs ??= new ProofVerifier({ issuer: need('COUNTERSIGN_URL'), app: need('COUNTERSIGN_APP'), once: memoryOnce() }));
