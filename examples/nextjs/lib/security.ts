'use server';

// A person's further factors. Countersign keeps them, and gives the session that may change them: our server trades a fresh
// proof of the number for one and holds it for a quarter of an hour, by a name that only this browser has. Whoever sits at
// a forgotten login has neither. The page never sees a token.

import { Problem, ProofRefused, type Ceremony, type Factor, type LoggedIn, type PasskeyAnswer, type TOTP } from '@countersign/sdk/server';
import { randomBytes } from 'node:crypto';
import { revalidatePath } from 'next/cache';
import { cookies } from 'next/headers';
import { signedIn } from './auth';
import { people, proofs } from './countersign';
import { currentNonce } from './nonce';

/**
 * What became of a call: done, refused in words for people, a factor to be shown first, or nothing to call by any more. Done
 * is never undefined: on its way to the page that would be lost.
 */
export type Outcome<T> = { done: T } | { refused: string } | { showFirst: true } | { over: true };

interface Held {
  phone: string;
  access: string;
  until: number;
}

const cookieName = 'shop-security';
const seconds = 15 * 60; // an access token of Countersign lives as long

/** In memory like the users. */
const kept = globalThis as { security?: Map<string, Held> };
const sessions = (kept.security ??= new Map<string, Held>());

/** The session of this browser, if it is of who is signed in. */
async function held(): Promise<Held | undefined> {
  const phone = await signedIn();
  const session = sessions.get((await cookies()).get(cookieName)?.value ?? '');
  return session && session.phone === phone && session.until > Date.now() ? session : undefined;
}

/** Runs a call in the person's name. Showing a factor and changing one gives other tokens: `renew` takes them. */
async function run<T>(call: (person: LoggedIn, renew: (tokens: { access_token: string }) => true) => Promise<T>): Promise<Outcome<T>> {
  const session = await held();
  if (!session) return { over: true };
  const renew = (tokens: { access_token: string }): true => {
    session.access = tokens.access_token;
    return true;
  };
  try {
    return { done: await call(people().as(session.access), renew) };
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return outcomes[error.code] ?? { refused: 'That did not work. Please try again.' };
  }
}

/** The same for a call that changes the list: the page gets the new one with the answer. */
async function change<T>(call: Parameters<typeof run<T>>[0]): Promise<Outcome<T>> {
  const outcome = await run(call);
  if ('done' in outcome) revalidatePath('/security');
  return outcome;
}

const outcomes: Record<string, { refused: string } | { showFirst: true } | { over: true }> = {
  step_up_required: { showFirst: true },
  unauthorized: { over: true },
  session_revoked: { over: true },
  incorrect_code: { refused: 'That code is not right. The app shows another every half minute.' },
  invalid_code: { refused: 'That is not a code of the app, nor one from paper.' },
  too_many_checks: { refused: 'Too many wrong codes. Please try again later.' },
  factor_exists: { refused: 'You have that one already.' },
  passkey_refused: { refused: 'That passkey did not work.' },
  passkey_unknown: { refused: 'That passkey is not one of yours any more.' },
  not_found: { refused: 'It is gone already. Load the page again.' },
};

/** Opens this page for whoever has just proved the number that they are signed in with; says why not. */
export async function unlock(proof: string): Promise<string | undefined> {
  const phone = await signedIn();
  const nonce = await currentNonce();
  try {
    const { phone_number } = await proofs().verify(String(proof), { purpose: 'login', nonce });
    if (!phone || phone_number !== phone) return 'Confirm the number that you signed in with.';
    const { access_token } = await people().redeem({ proof: String(proof), nonce });
    const id = randomBytes(16).toString('base64url');
    const now = Date.now();
    for (const [old, { until }] of sessions) if (until < now) sessions.delete(old);
    sessions.set(id, { phone, access: access_token, until: now + seconds * 1000 });
    (await cookies()).set(cookieName, id, { httpOnly: true, sameSite: 'strict', secure: process.env.NEXTAUTH_URL?.startsWith('https:') ?? true, maxAge: seconds, path: '/' });
    return undefined;
  } catch (error) {
    if (error instanceof ProofRefused || error instanceof Problem) return 'That did not work. Load the page and try again.';
    throw error;
  }
}

/** What there is, oldest first; undefined before the number was proved. */
export async function factors(): Promise<Factor[] | undefined> {
  const outcome = await run((person) => person.factors());
  return 'done' in outcome ? outcome.done : undefined;
}

/** Begins an authenticator app: what the person scans, or types, into it. */
export async function beginApp(): Promise<Outcome<TOTP>> {
  return run((person) => person.addTOTP('Authenticator app'));
}

/** Takes it into use with a code that it shows. */
export async function confirmApp(id: string, code: string): Promise<Outcome<true>> {
  return change(async (person, renew) => renew(await person.confirmFactor(String(id), String(code))));
}

/** What the browser is to ask the device for, to make a passkey. */
export async function beginPasskey(): Promise<Outcome<Ceremony>> {
  return run((person) => person.newPasskey());
}

/** Adds the passkey that the device has made. */
export async function addPasskey(made: PasskeyAnswer): Promise<Outcome<true>> {
  return change(async (person, renew) => renew(await person.addPasskey({ ...made, name: 'Passkey' })));
}

/** Ten codes for paper, in the place of those that there were. */
export async function newCodes(): Promise<Outcome<string[]>> {
  return change(async (person, renew) => {
    const made = await person.newRecoveryCodes('Codes on paper');
    renew(made);
    return made.codes;
  });
}

export async function removeFactor(id: string): Promise<Outcome<true>> {
  return change(async (person, renew) => renew(await person.removeFactor(String(id))));
}

/** What the browser is to ask the device for, to show a passkey. */
export async function askPasskey(): Promise<Outcome<Ceremony>> {
  return run((person) => person.askPasskey());
}

/** Shows a passkey. For five minutes factors may be changed then. */
export async function showPasskeyAgain(shown: PasskeyAnswer): Promise<Outcome<true>> {
  return run(async (person, renew) => renew(await person.stepUp({ passkey: shown })));
}

/** Shows a code of the app, which is six digits, or one from paper. */
export async function showCode(code: string): Promise<Outcome<true>> {
  const text = String(code).replace(/\s/g, '');
  return run(async (person, renew) => renew(await person.stepUp(/^\d{6}$/.test(text) ? { totp: text } : { recovery_code: text })));
}
