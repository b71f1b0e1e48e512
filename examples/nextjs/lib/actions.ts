'use server';

// What pages ask of the server.

import { ProofRefused } from '@countersign/sdk/server';
import { revalidatePath } from 'next/cache';
import { signedIn } from './auth';
import { proofs } from './countersign';
import { currentNonce, newNonce } from './nonce';
import { findOrder, pay } from './orders';

/** Begins a verification: a nonce for this browser. */
export async function begin(): Promise<string> {
  return newNonce();
}

/**
 * Pays, if the proof approves exactly this: by the number of who is signed in, for this browser, with the payee and the
 * amount that the server knows. What the browser showed does not matter.
 */
export async function approve(id: string, proof: string): Promise<{ paid: boolean; why?: string }> {
  const phone = await signedIn();
  const order = findOrder(String(id));
  if (!phone || !order) return { paid: false, why: 'Sign in first.' };
  try {
    const { payee, amount, currency } = order;
    const claims = await proofs().verify(String(proof), { purpose: 'transaction', nonce: await currentNonce(), transaction: { payee, amount, currency } });
    if (claims.phone_number !== phone) return { paid: false, why: 'Approve it with the number that you signed in with.' };
  } catch (error) {
    if (error instanceof ProofRefused) return { paid: false, why: 'This is not an approval of this payment.' };
    throw error;
  }
  pay(order.id, phone);
  revalidatePath('/account');
  return { paid: true };
}
