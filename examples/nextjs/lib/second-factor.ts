// Adding an authenticator app. It takes a fresh proof of the number: whoever sits at a forgotten login does not have one.

import 'server-only';
import { Problem, ProofRefused } from '@countersign/sdk/server';
import { people, proofs } from './countersign';
import { currentNonce } from './nonce';

/** What the person scans, or types, into the app. */
export interface Secret {
  qr: string;
  secret: string;
  uri: string;
}

interface Pending {
  access: string;
  factor: string;
}

/** Who has scanned and not confirmed yet, by number. In memory like the users; Countersign itself forgets after ten minutes. */
const kept = globalThis as { pending?: Map<string, Pending> };
const pending = (kept.pending ??= new Map<string, Pending>());

/** Trades a proof for a session of this person with Countersign, and begins an app in it; a string says why not. */
export async function beginApp(phone: string, proof: string): Promise<Secret | string> {
  const nonce = await currentNonce();
  try {
    const { phone_number } = await proofs().verify(proof, { purpose: 'login', nonce });
    if (phone_number !== phone) return 'Confirm the number that you signed in with.';
    const { access_token } = await people().redeem({ proof, nonce });
    const { id, qr, secret, uri } = await people().as(access_token).addTOTP('Authenticator app');
    pending.set(phone, { access: access_token, factor: id });
    return { qr, secret, uri };
  } catch (error) {
    if (error instanceof ProofRefused) return 'That did not work. Load the page again.';
    if (error instanceof Problem && ['step_up_required', 'factor_required'].includes(error.code)) return 'You have a second factor already.';
    throw error;
  }
}

/** Takes the app into use with a code that it shows, and makes codes for paper; a string says why not. */
export async function confirmApp(phone: string, code: string): Promise<string[] | string> {
  const waiting = pending.get(phone);
  if (!waiting) return 'That took too long. Load the page again.';
  try {
    // Showing a factor gives the session a new token, and ends the old one.
    const { access_token } = await people().as(waiting.access).confirmFactor(waiting.factor, code);
    pending.delete(phone);
    return (await people().as(access_token).newRecoveryCodes()).codes;
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    if (error.code === 'incorrect_code' || error.code === 'invalid_code') return 'That code is not right. Wait for the next one that the app shows.';
    if (error.code === 'too_many_checks') return 'Too many wrong codes. Try again later.';
    pending.delete(phone);
    return 'That took too long. Load the page again.';
  }
}
