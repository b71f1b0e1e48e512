// The client for browsers. It holds a publishable key, which may start, check, send again and read one's own
// verification from the app's allowed origins. What it says is no proof to your server: only the proof is.

import { approved } from './approved.js';
import { solve as solveChallenge, type Solver } from './challenge.js';
import { Devices, type TokenStorage } from './devices.js';
import { typed } from './digits.js';
import { ask, makePasskey, showPasskey, type PasskeyOptions } from './passkey.js';
import { Person } from './person.js';
import { Problem } from './problem.js';
import { Transport, byCookie, pathOf, randomKey, type CallOptions, type ClientOptions } from './transport.js';
import type { Approved, Channel, CookieSession, RedeemRequest, Renewed, Session, StartRequest, Verification } from './wire.js';

export { solve, type Solver } from './challenge.js';
export type { TokenStorage } from './devices.js';
export { findCode, typed } from './digits.js';
export { Flow, type Flow as VerificationFlow, type FlowOptions, type FlowState, type FlowStep } from './flow.js';
export { autofillWorks, makePasskey, passkeysWork, showPasskey, type PasskeyOptions } from './passkey.js';
export { type Person } from './person.js';
export { Problem, type Challenge, type ProblemCode, type ProblemFields } from './problem.js';
export type { CallOptions, ClientOptions } from './transport.js';
export { receiveCode } from './webotp.js';
export type {
  Approved, Ceremony, Channel, CookieSession, Device, Factor, Me, PasskeyAnswer, Purpose, RecoveryCodes, RedeemRequest, Renewed, Session, StartRequest, Status, StepUpRequest, TOTP, Transaction, User, Verification,
} from './wire.js';

export interface BrowserOptions extends ClientOptions {
  /** Does the proof of work; a worker of this package by default. */
  solve?: Solver;
  /** Where device tokens are kept: localStorage by default, null for nowhere. */
  devices?: TokenStorage | null;
}

export interface BrowserCallOptions extends CallOptions {
  /** Told while a proof of work is being done, and when it is done. */
  onWork?: (working: boolean) => void;
}

/** Each challenge after another is harder; there are four difficulties. */
const mostChallenges = 4;

/** How a new passkey is made. */
export interface NewPasskeyOptions {
  /** The person's own word for it. */
  name?: string;
  signal?: AbortSignal;
}

/** Calls one instance from a page of the app. */
export class CountersignBrowser {
  readonly #transport: Transport;
  readonly #solve: Solver;
  readonly #devices: Devices;
  #work: { asked: string; body: object } | undefined; // what was last done, and for which attempt

  constructor(options: BrowserOptions) {
    if (options.key.startsWith('sk_')) throw new TypeError('this is a secret key: a browser gets a publishable one (pk_…)');
    this.#transport = new Transport(options);
    this.#solve = options.solve ?? solveChallenge;
    this.#devices = new Devices(options.devices === undefined ? localStore() : options.devices, `${this.#transport.base} ${options.key}`);
  }

  /** Makes a code and sends it, after a proof of work where the guard wants one. */
  async start(request: Omit<StartRequest, 'wait' | 'client'>, options: BrowserCallOptions = {}): Promise<Verification> {
    const body = { ...request, to: typed(request.to) };
    const token = body.device_token ?? await this.#devices.find(body.to);
    return this.#worked('/v1/verifications', token ? { ...body, device_token: token } : body, options);
  }

  /** Submits a guess. What comes back is approved; a wrong code is thrown as a Problem. */
  async check(verification: Pick<Verification, 'id'> & { to?: string }, code: string, options: CallOptions = {}): Promise<Approved> {
    const token = verification.to ? await this.#devices.find(verification.to) : undefined;
    const body = { code: typed(code), ...(token ? { device_token: token } : {}) };
    const v = await this.#transport.call<Verification>({ method: 'POST', path: pathOf(verification.id, '/checks'), body, repeat: false, ...options });
    const done = approved(v);
    if (done.device_token) await this.#devices.keep(done.to, done.device_token);
    return done;
  }

  /** Sends the code again, maybe by another channel. */
  async send(verification: Pick<Verification, 'id'> & { to?: string }, channel?: Channel | 'auto', options: BrowserCallOptions = {}): Promise<Verification> {
    const token = verification.to ? await this.#devices.find(verification.to) : undefined;
    return this.#worked(pathOf(verification.id, '/sends'), { ...(channel ? { channel } : {}), ...(token ? { device_token: token } : {}) }, options);
  }

  /** Reads one's own verification: whoever has its id may. */
  get(id: string, options: Pick<CallOptions, 'signal'> = {}): Promise<Verification> {
    return this.#transport.call({ method: 'GET', path: pathOf(id), repeat: true, ...options });
  }

  /**
   * Turns a proof into a session. Give the tokens to your server at once, and keep none of them in the page. With `cookie`,
   * on pages of the instance's own site, no script sees them: the session is a cookie, and `as()` calls by it.
   */
  redeem(request: Omit<RedeemRequest, 'client'> & { cookie: true }, options?: Pick<CallOptions, 'signal'>): Promise<CookieSession>;
  redeem(request: Omit<RedeemRequest, 'client'>, options?: Pick<CallOptions, 'signal'>): Promise<Session>;
  redeem(request: Omit<RedeemRequest, 'client'> & { cookie?: boolean }, options: Pick<CallOptions, 'signal'> = {}): Promise<Session | CookieSession> {
    return this.#transport.call({ method: 'POST', path: '/v1/sessions', body: request, repeat: false, cookie: request.cookie, ...options });
  }

  /** Whoever is logged in: by an access token, or without one by the cookie of the instance's own site. */
  as(accessToken: string): Person;
  as(accessToken?: undefined): Person<CookieSession>;
  as(accessToken?: string): Person | Person<CookieSession> {
    return accessToken === undefined ? new Person<CookieSession>(this.#transport, byCookie) : new Person<Session>(this.#transport, accessToken);
  }

  /**
   * Logs in by passkey: the device offers those that it has, and says whose it is. Give the tokens to your server at once,
   * and keep none of them in the page.
   */
  async loginWithPasskey(options: PasskeyOptions = {}): Promise<Session> {
    const passkey = await showPasskey(await ask(this.#transport, '/v1/passkeys/options', undefined, options.signal), options);
    return this.redeem({ passkey }, { signal: options.signal });
  }

  /** Makes a passkey for whoever is logged in. The session goes on with the tokens that come back; the old ones are dead. */
  createPasskey(accessToken: string, options?: NewPasskeyOptions): Promise<Renewed>;
  createPasskey(accessToken?: undefined, options?: NewPasskeyOptions): Promise<Renewed<CookieSession>>;
  async createPasskey(accessToken?: string, { name, signal }: NewPasskeyOptions = {}): Promise<Renewed | Renewed<CookieSession>> {
    const passkey = await makePasskey(await ask(this.#transport, '/v1/me/factors/passkeys/options', accessToken ?? byCookie, signal), { signal });
    return new Person<Session | CookieSession>(this.#transport, accessToken ?? byCookie).addPasskey({ ...passkey, ...(name ? { name } : {}) }, { signal });
  }

  /** Shows a passkey again, before something that matters. The session goes on with the tokens that come back. */
  stepUpWithPasskey(accessToken: string, options?: Omit<PasskeyOptions, 'autofill'>): Promise<Session>;
  stepUpWithPasskey(accessToken?: undefined, options?: Omit<PasskeyOptions, 'autofill'>): Promise<CookieSession>;
  async stepUpWithPasskey(accessToken?: string, options: Omit<PasskeyOptions, 'autofill'> = {}): Promise<Session | CookieSession> {
    const passkey = await showPasskey(await ask(this.#transport, '/v1/sessions/step-up/options', accessToken ?? byCookie, options.signal), { signal: options.signal });
    return new Person<Session | CookieSession>(this.#transport, accessToken ?? byCookie).stepUp({ passkey }, { signal: options.signal });
  }

  /**
   * Makes a call, and again with the work done as often as the guard asks for more of it. A repeat of an attempt that got
   * no answer, with its own key, has the same work in it: another body would not be the same request.
   */
  async #worked(path: string, request: object, { onWork, ...options }: BrowserCallOptions): Promise<Verification> {
    const idempotencyKey = options.idempotencyKey ?? randomKey();
    const asked = JSON.stringify([idempotencyKey, path, request]);
    let body = this.#work?.asked === asked ? this.#work.body : request;
    for (let solved = 0; ; solved++) {
      try {
        return await this.#transport.call<Verification>({ method: 'POST', path, body, repeat: true, ...options, idempotencyKey });
      } catch (error) {
        if (!Problem.is(error, 'challenge_required') || !error.challenge || solved === mostChallenges) throw error;
        onWork?.(true);
        try {
          body = { ...request, challenge_response: await this.#solve(error.challenge, options.signal) };
          this.#work = { asked, body };
        } finally {
          onWork?.(false);
        }
      }
    }
  }
}

function localStore(): TokenStorage | null {
  try {
    return globalThis.localStorage ?? null;
  } catch {
    return null; // forbidden by the browser's settings
  }
}
