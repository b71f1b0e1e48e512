// A person who is logged in: what they may see and change of themselves, by their access token or by the session's cookie.
// Showing a factor, and changing factors or the number, gives the session new tokens, and the old ones are dead: go on with a
// Person of the new one. By cookie the new ones are in the cookies, and no script sees them.

import { approved } from './approved.js';
import { pathOf, randomKey, under, type Call, type CallOptions, type Transport } from './transport.js';
import type { Approved, Ceremony, Channel, CookieSession, Device, Factor, Me, PasskeyAnswer, RecoveryCodes, Renewed, Session, StepUpRequest, StepUpStart, TOTP, Verification } from './wire.js';

type Signal = Pick<CallOptions, 'signal'>;

/** Calls as one person. Made by `as` of a client, which knows how the session's tokens travel. */
export class Person<S extends Session | CookieSession = Session> {
  readonly #transport: Transport;
  readonly #as: Call['as'];

  constructor(transport: Transport, as: Call['as']) {
    this.#transport = transport;
    this.#as = as;
  }

  me(options: Signal = {}): Promise<Me> {
    return this.#call('GET', '/v1/me', options);
  }

  /** Where they are logged in, newest first. */
  async devices(options: Signal = {}): Promise<Device[]> {
    return (await this.#call<{ data: Device[] }>('GET', '/v1/me/sessions', options)).data;
  }

  /** Logs a device out. */
  endDevice(id: string, options: Signal = {}): Promise<void> {
    return this.#call('DELETE', under('/v1/me/sessions/', id), options);
  }

  /** Logs all other devices out. Offer it after a change of factors. */
  endOtherDevices(options: Signal = {}): Promise<void> {
    return this.#call('DELETE', '/v1/me/sessions', options);
  }

  /** Logs out. */
  endSession(options: Signal = {}): Promise<void> {
    return this.#call('DELETE', '/v1/sessions/current', options);
  }

  /** Their further factors, oldest first. */
  async factors(options: Signal = {}): Promise<Factor[]> {
    return (await this.#call<{ factors: Factor[] }>('GET', '/v1/me/factors', options)).factors;
  }

  /** Begins an authenticator app, which is good for nothing until confirmFactor. */
  addTOTP(name?: string, options: Signal = {}): Promise<TOTP> {
    return this.#change('/v1/me/factors/totp', named(name), options);
  }

  /** Takes an authenticator app into use once it has shown a right code. That is a step-up. */
  confirmFactor(id: string, code: string, options: Signal = {}): Promise<Renewed<S>> {
    return this.#change(`${under('/v1/me/factors/', id)}/confirm`, { code }, options);
  }

  /** Makes ten codes for paper in the place of those that there were. */
  newRecoveryCodes(name?: string, options: Signal = {}): Promise<RecoveryCodes<S>> {
    return this.#change('/v1/me/factors/recovery-codes', named(name), options);
  }

  /** Removes a factor; the session must have shown one within five minutes. */
  removeFactor(id: string, options: Signal = {}): Promise<S> {
    return this.#call('DELETE', under('/v1/me/factors/', id), options, false);
  }

  /** What a browser is asked for to make a passkey. In a page, createPasskey of the browser client does it all. */
  newPasskey(options: Signal = {}): Promise<Ceremony> {
    return this.#change('/v1/me/factors/passkeys/options', {}, options, true);
  }

  /** Adds the passkey that a browser has made. That is a step-up. */
  addPasskey(answer: PasskeyAnswer & { name?: string }, options: Signal = {}): Promise<Renewed<S>> {
    return this.#change('/v1/me/factors/passkeys', answer, options);
  }

  /** What a browser is asked for in a step-up by passkey. */
  askPasskey(options: Signal = {}): Promise<Ceremony> {
    return this.#change('/v1/sessions/step-up/options', {}, options, true);
  }

  /** Shows a factor again, before something that matters. */
  stepUp(request: StepUpRequest, options: Signal = {}): Promise<S> {
    return this.#change('/v1/sessions/step-up', request, options);
  }

  /** Gives them another number. The old one is told; all their other sessions end. */
  changeNumber(request: { proof: string; current_proof?: string }, options: Signal = {}): Promise<S> {
    return this.#change('/v1/me/phone_number', request, options);
  }

  /** Trades the refresh token in the cookie for new ones, in the cookies. Never do it twice at once: use navigator.locks. */
  refresh(options: Signal = {}): Promise<CookieSession> {
    return this.#change('/v1/sessions/refresh', {}, options);
  }

  /** Sends a code of purpose stepup to their own number. */
  start(request: Omit<StepUpStart, 'purpose' | 'user' | 'client' | 'wait'> = {}, options: CallOptions = {}): Promise<Verification> {
    return this.#sending('/v1/verifications', { ...request, purpose: 'stepup', user: 'me' }, options);
  }

  get(id: string, options: Signal = {}): Promise<Verification> {
    return this.#call('GET', pathOf(id), options);
  }

  /** Submits a guess. What comes back is approved; its proof goes to stepUp or changeNumber. */
  async check(id: string, code: string, options: CallOptions = {}): Promise<Approved> {
    return approved(await this.#transport.call<Verification>({ method: 'POST', path: pathOf(id, '/checks'), body: { code }, repeat: false, as: this.#as, ...options }));
  }

  /** Sends the code again. */
  send(id: string, channel?: Channel | 'auto', options: CallOptions = {}): Promise<Verification> {
    return this.#sending(pathOf(id, '/sends'), channel ? { channel } : {}, options);
  }

  #call<T>(method: 'GET' | 'DELETE', path: string, options: Signal, repeat = true): Promise<T> {
    return this.#transport.call({ method, path, repeat, as: this.#as, ...options });
  }

  #change<T>(path: string, body: object, options: Signal, repeat = false): Promise<T> {
    return this.#transport.call({ method: 'POST', path, body, repeat, as: this.#as, ...options });
  }

  #sending(path: string, body: object, options: CallOptions): Promise<Verification> {
    return this.#transport.call({ method: 'POST', path, body, repeat: true, as: this.#as, ...options, idempotencyKey: options.idempotencyKey ?? randomKey() });
  }
}

const named = (name?: string): object => (name ? { name } : {});
