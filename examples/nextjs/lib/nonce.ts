// The nonce binds a proof to the browser that asked for it: without it, somebody could hand a victim a link that logs the
// victim in with the somebody's own proof. Server only.

import 'server-only';
import { randomBytes } from 'node:crypto';
import { cookies } from 'next/headers';

const name = 'countersign-nonce';

/** This browser's nonce, where no script can read it. It is made once, so that two tabs do not take it from each other. */
export async function newNonce(): Promise<string> {
  const jar = await cookies();
  const nonce = jar.get(name)?.value ?? randomBytes(16).toString('base64url');
  jar.set(name, nonce, { httpOnly: true, sameSite: 'lax', secure: process.env.NEXTAUTH_URL?.startsWith('https:') ?? true, maxAge: 900, path: '/' });
  return nonce;
}

/** The nonce that a proof must have. A browser without one gets none right. */
export async function currentNonce(): Promise<string> {
  return (await cookies()).get(name)?.value ?? randomBytes(16).toString('base64url');
}
