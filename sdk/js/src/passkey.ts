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

/**
 * Asks the device for a passkey, by what the server was told to ask for (`askPasskey` of a server's client), and gives what
 * the server is to hear (`stepUp`). For pages whose server holds the session: the page sees no token.
 */
export async function showPasskey({ ceremony, public_key: json }: Ceremony, { autofill, signal }: PasskeyOptions = {}): Promise<PasskeyAnswer> {
  needPasskeys();
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(json);
  return answer(ceremony, signal, () => navigator.credentials.get({ publicKey, ...(autofill ? { mediation: 'conditional' } : {}), ...(signal ? { signal } : {}) }));
}

/** The same for making a passkey: between `newPasskey` and `addPasskey`. */
export async function makePasskey({ ceremony, public_key: json }: Ceremony, { signal }: Omit<PasskeyOptions, 'autofill'> = {}): Promise<PasskeyAnswer> {
  needPasskeys();
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(json);
  return answer(ceremony, signal, () => navigator.credentials.create({ publicKey, ...(signal ? { signal } : {}) }));
}

/** Asks the server what to ask the device for. */
export async function ask(transport: Transport, path: string, as: Call['as'], signal: AbortSignal | undefined): Promise<Ceremony> {
  needPasskeys();
  return transport.call({ method: 'POST', path, body: {}, repeat: true, signal, as });
}

function needPasskeys(): void {
  if (!passkeysWork()) throw new Problem('passkey_not_used', { detail: 'This browser has no passkeys.' });
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
