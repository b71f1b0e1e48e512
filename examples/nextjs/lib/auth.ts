// Auth.js with two ways in: OpenID Connect with Countersign, whose hosted page is the login page, and a proof from the
// phone form on a page of our own.

import 'server-only';
import { ProofRefused } from '@countersign/sdk/server';
import { getServerSession, type NextAuthOptions } from 'next-auth';
import credentials from 'next-auth/providers/credentials';
import { oidc, proofs } from './countersign';
import { currentNonce } from './nonce';
import { addUser, findUser } from './users';

/** The number that a proof is of; null where the proof is not what was asked for. */
async function phoneOf(proof: string, purpose: 'signup' | 'login'): Promise<string | null> {
  try {
    return (await proofs().verify(proof, { purpose, nonce: await currentNonce() })).phone_number ?? null;
  } catch (error) {
    if (error instanceof ProofRefused) return null;
    throw error;
  }
}

/** The level of a login that showed a second factor. */
export const secondLevel = 'urn:countersign:aal2';

export function authOptions(): NextAuthOptions {
  const { issuer, clientId, clientSecret } = oidc();
  return {
    session: { strategy: 'jwt', maxAge: 24 * 60 * 60 },
    pages: { signIn: '/login', error: '/login' },
    providers: [
      {
        id: 'phone', name: 'Phone', type: 'oauth', wellKnown: `${issuer}/.well-known/openid-configuration`, clientId, clientSecret,
        authorization: { params: { scope: 'openid phone' } }, idToken: true, checks: ['pkce', 'state', 'nonce'],
        client: { id_token_signed_response_alg: 'ES256' }, // Auth.js 4 expects RS256 if it is not told
        // The level stands in the id token, whose signature Auth.js has checked: what the browser asked for does not count.
        profile: (p: { sub: string; phone_number: string; acr?: string }) => ({ id: p.sub, phone: addUser(p.phone_number).phone, second: p.acr === secondLevel }),
      },
      credentials({
        id: 'proof', name: 'Phone form', credentials: { proof: {}, purpose: {} },
        async authorize(given) {
          const purpose = given?.purpose === 'signup' ? 'signup' : 'login';
          const phone = await phoneOf(given?.proof ?? '', purpose);
          if (!phone) return null;
          const user = purpose === 'signup' ? addUser(phone) : findUser(phone);
          return user ? { id: user.phone, phone: user.phone, second: false } : null;
        },
      }),
    ],
    callbacks: {
      jwt: ({ token, user }) => (user ? { ...token, phone: user.phone, second: user.second } : token),
      session: ({ session, token }) => ({ ...session, user: { phone: token.phone ?? '', second: token.second === true } }),
    },
  };
}

/** Who is signed in, and whether with a second factor. */
export async function current(): Promise<{ phone: string; second: boolean } | undefined> {
  const user = (await getServerSession(authOptions()))?.user;
  return user?.phone ? user : undefined;
}

/** The number of whoever is signed in. */
export async function signedIn(): Promise<string | undefined> {
  return (await current())?.phone;
}
