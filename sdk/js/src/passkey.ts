// Passkeys in a page: asks the server what the browser is to be asked for, asks the browser, and brings its answer back.

import { Problem } from './problem.js';
import type { Call, Transport } from './transport.js';
import type { Ceremony, PasskeyAnswer } from './wire.js';

export interface PasskeyOptions {
  /** Offers passkeys in the autofill of a field with `autocomplete="username webauthn"`, and waits until one is chosen. */
  autofill?: boolean;
  signal?: AbortSignal | undefined;
}

/** Whether this browser knows passkeys, and their JSON. */
export const passkeysWork = (): boolean => typeof PublicKeyCredential === 'function' && 'parseRequestOptionsFromJSON' in PublicKeyCredential;

/** Whether passkeys can be offered in the autofill of a field. */
export const autofillWorks = async (): Promise<boolean> => passkeysWork() && (await PublicKeyCredential.isConditionalMediationAvailable?.()) === true;

/** Asks the device for one of its passkeys. */
export async function use(transport: Transport, path: string, as: Call['as'], { autofill, signal }: PasskeyOptions): Promise<PasskeyAnswer> {
  const { ceremony, public_key: json } = await ask(transport, path, as, signal);
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(json);
  return answer(ceremony, signal, () => navigator.credentials.get({ publicKey, ...(autofill ? { mediation: 'conditional' } : {}), ...(signal ? { signal } : {}) }));
}

/** Asks the device to make a passkey. */
export async function make(transport: Transport, as: Call['as'], signal: AbortSignal | undefined): Promise<PasskeyAnswer> {
  const { ceremony, public_key: json } = await ask(transport, '/v1/me/factors/passkeys/options', as, signal);
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(json);
  return answer(ceremony, signal, () => navigator.credentials.create({ publicKey, ...(signal ? { signal } : {}) }));
}

function ask(transport: Transport, path: string, as: Call['as'], signal: AbortSignal | undefined): Promise<Ceremony> {
  if (!passkeysWork()) throw new Problem('passkey_not_used', { detail: 'This browser has no passkeys.' });
  return transport.call({ method: 'POST', path, body: {}, repeat: true, signal, as });
}

async function answer(ceremony: string, signal: AbortSignal | undefined, browser: () => Promise<Credential | null>): Promise<PasskeyAnswer> {
  let credential: Credential | null;
  try {
    credential = await browser();
  } catch (cause) {
    if (signal?.aborted) throw signal.reason;
    const known = cause instanceof DOMException && cause.name === 'InvalidStateError';
    throw new Problem('passkey_not_used', { detail: known ? 'This device has a passkey for this account already.' : 'The person, or the device, did not go on.', cause });
  }
  if (!credential) throw new Problem('passkey_not_used', { detail: 'The browser gave no passkey.' });
  return { ceremony, credential: (credential as PublicKeyCredential).toJSON() as PasskeyAnswer['credential'] };
}
