// The client for servers. It holds a secret key: never ship it to a browser.

import { approved } from './approved.js';
import { Person as LoggedIn } from './person.js';
import { ProofVerifier, type ProofOptions } from './proof.js';
import { Problem } from './problem.js';
import { Transport, pathOf, under, type CallOptions, type ClientOptions } from './transport.js';
import type {
  Approved, Block, Ceremony, Channel, Device, Explanation, Me, Person, Purpose, RedeemRequest, Routes, Session, StartRequest, Status, StepUpStart, User, Verification,
} from './wire.js';

export { Problem, type Challenge, type ProblemCode, type ProblemFields } from './problem.js';
export { ProofRefused, ProofVerifier, memoryOnce, transactionHash, type Once, type ProofClaims, type ProofOptions, type ProofWant } from './proof.js';
export type { CallOptions, ClientOptions } from './transport.js';
export { type Person as LoggedIn } from './person.js';
export type {
  Approved, Block, Ceremony, Channel, Device, Explanation, Factor, Me, PasskeyAnswer, Person, Purpose, RecoveryCodes, RedeemRequest, Renewed, Routes, Session, StartRequest, Status,
  StepUpRequest, StepUpStart, TOTP, Transaction, User, Verification,
} from './wire.js';

export interface ListQuery {
  to?: string;
  status?: Status;
  purpose?: Purpose;
  created_after?: Date | string;
  /** Of one page. */
  limit?: number;
  cursor?: string;
}

export interface Page {
  /** Newest first. */
  data: Verification[];
  /** For the next page; null on the last. */
  next_cursor: string | null;
}

interface Guess {
  /** As the person typed it; spaces and hyphens do not count. */
  code: string;
  client?: Person;
  device_token?: string;
}

/** Calls one instance for one app. */
export class Countersign {
  readonly #transport: Transport;

  constructor(options: ClientOptions) {
    this.#transport = new Transport(options);
  }

  /** Makes a code and sends it. */
  start(request: StartRequest | StepUpStart, options: CallOptions = {}): Promise<Verification> {
    return this.#verification({ method: 'POST', path: '/v1/verifications', body: request, repeat: true, ...options });
  }

  /** Reads a verification. */
  get(id: string, options: Pick<CallOptions, 'signal'> = {}): Promise<Verification> {
    return this.#verification({ method: 'GET', path: pathOf(id), repeat: true, ...options });
  }

  /** Submits a guess. What comes back is approved; a wrong code is thrown as a Problem. */
  async check(id: string, guess: Guess, options: CallOptions = {}): Promise<Approved> {
    return approved(await this.#verification({ method: 'POST', path: pathOf(id, '/checks'), body: guess, repeat: false, ...options }));
  }

  /** Submits a guess about whatever is pending for a phone. It binds no session: prefer check. */
  async checkByPhone(guess: Guess & { to: string; purpose?: Exclude<Purpose, 'transaction'>; region?: string }, options: CallOptions = {}): Promise<Approved> {
    return approved(await this.#verification({ method: 'POST', path: '/v1/checks', body: guess, repeat: false, ...options }));
  }

  /** Sends the code again, maybe by another channel. */
  send(id: string, request: { channel?: Channel | 'auto'; client?: Person; challenge_response?: string; device_token?: string } = {}, options: CallOptions = {}): Promise<Verification> {
    return this.#verification({ method: 'POST', path: pathOf(id, '/sends'), body: request, repeat: true, ...options });
  }

  /** Ends a pending verification. */
  cancel(id: string, options: CallOptions = {}): Promise<Verification> {
    return this.#verification({ method: 'POST', path: pathOf(id, '/cancel'), body: {}, repeat: true, ...options });
  }

  /** Reads one page of the list. */
  list(query: ListQuery = {}, options: Pick<CallOptions, 'signal'> = {}): Promise<Page> {
    const parameters = new URLSearchParams();
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined && value !== '') parameters.set(name, value instanceof Date ? value.toISOString() : String(value));
    }
    return this.#transport.call({ method: 'GET', path: `/v1/verifications${parameters.size > 0 ? `?${parameters}` : ''}`, repeat: true, ...options });
  }

  /** Lists all, page by page as they are asked for. */
  async* all(query: ListQuery = {}): AsyncGenerator<Verification, void> {
    let cursor: string | null | undefined = query.cursor;
    do {
      const page: Page = await this.list({ ...query, ...(cursor ? { cursor } : {}) });
      yield* page.data;
      cursor = page.next_cursor;
    } while (cursor);
  }

  /**
   * Finds or creates the user of a proof and starts a session. A proof is good once: this is not repeated where no
   * answer came. After `factor_required` the same proof is sent again with a factor.
   */
  redeem(request: RedeemRequest, options: Pick<CallOptions, 'signal'> = {}): Promise<Session> {
    return this.#transport.call({ method: 'POST', path: '/v1/sessions', body: request, repeat: false, ...options });
  }

  /** Trades a refresh token for new ones. Never do it twice with the same: that ends the session, because it looks like theft. */
  refresh(refreshToken: string, options: Pick<CallOptions, 'signal'> = {}): Promise<Session> {
    return this.#transport.call({ method: 'POST', path: '/v1/sessions/refresh', body: { refresh_token: refreshToken }, repeat: false, as: null, ...options });
  }

  /** Logs out the session of an access token. */
  endSession(accessToken: string): Promise<void> {
    return this.#transport.call({ method: 'DELETE', path: '/v1/sessions/current', repeat: true, as: accessToken });
  }

  /** A person who is logged in, by their access token: what they may see and change of themselves. */
  as(accessToken: string): LoggedIn {
    return new LoggedIn(this.#transport, accessToken);
  }

  /** What a browser is asked for when somebody logs in by passkey; redeem takes its answer. */
  askPasskey(client?: Person, options: Pick<CallOptions, 'signal'> = {}): Promise<Ceremony> {
    return this.#transport.call({ method: 'POST', path: '/v1/passkeys/options', body: client ? { client } : {}, repeat: true, ...options });
  }

  /** The user of an access token. */
  me(accessToken: string): Promise<Me> {
    return this.#transport.call({ method: 'GET', path: '/v1/me', repeat: true, as: accessToken });
  }

  /** The sessions of an access token's user. */
  async devices(accessToken: string): Promise<Device[]> {
    return (await this.#transport.call<{ data: Device[] }>({ method: 'GET', path: '/v1/me/sessions', repeat: true, as: accessToken })).data;
  }

  /** Ends another session of an access token's user. */
  endDevice(accessToken: string, id: string): Promise<void> {
    return this.#transport.call({ method: 'DELETE', path: under('/v1/me/sessions/', id), repeat: true, as: accessToken });
  }

  user(id: string): Promise<User> {
    return this.#transport.call({ method: 'GET', path: under('/v1/users/', id), repeat: true });
  }

  /** The user of a phone number; undefined where there is none. */
  async lookupUser(phone: string): Promise<User | undefined> {
    return (await this.#transport.call<{ data: User[] }>({ method: 'GET', path: `/v1/users?${new URLSearchParams({ phone_number: phone })}`, repeat: true })).data[0];
  }

  /** Erases a person everywhere, as they may ask of you. There is no way back. */
  eraseUser(id: string): Promise<void> {
    return this.#transport.call({ method: 'DELETE', path: under('/v1/users/', id), repeat: false });
  }

  /** Takes all factors off a user, for support that has found out in another way who asks. */
  resetFactors(userId: string): Promise<void> {
    return this.#transport.call({ method: 'DELETE', path: `${under('/v1/users/', userId)}/factors`, repeat: false });
  }

  /** Whether a start would be sent now, and why not. It sends nothing and counts nothing. */
  explain(request: StartRequest | StepUpStart): Promise<Explanation> {
    return this.#transport.call({ method: 'POST', path: '/v1/guard/explain', body: request, repeat: true });
  }

  /** What the guard blocks for the app, the latest first. */
  async blocks(): Promise<Block[]> {
    return (await this.#transport.call<{ data: Block[] }>({ method: 'GET', path: '/v1/guard/blocks', repeat: true })).data;
  }

  /** Ends a block now. */
  liftBlock(id: string): Promise<void> {
    return this.#transport.call({ method: 'DELETE', path: under('/v1/guard/blocks/', id), repeat: true });
  }

  /** How messages of the app go, and how the routes fare. */
  routes(): Promise<Routes> {
    return this.#transport.call({ method: 'GET', path: '/v1/routes', repeat: true });
  }

  /** The instance's public keys (RFC 7517). A verifier of `proofs` fetches them by itself. */
  keys(): Promise<{ keys: Record<string, string>[] }> {
    return this.#transport.call({ method: 'GET', path: '/.well-known/jwks.json', repeat: true, as: null });
  }

  /** Throws where the instance's process is not up. */
  async healthy(): Promise<void> {
    await this.#transport.call({ method: 'GET', path: '/healthz', repeat: false, as: null });
  }

  /** Throws where the instance takes no work. */
  async ready(): Promise<void> {
    await this.#transport.call({ method: 'GET', path: '/readyz', repeat: false, as: null });
  }

  /** Verifies proofs of this instance without calling it. Keep the verifier: it keeps the keys. */
  proofs(options: Omit<ProofOptions, 'issuer'> & { issuer?: string }): ProofVerifier {
    return new ProofVerifier({ issuer: this.#transport.base, ...options });
  }

  async #verification(call: Parameters<Transport['call']>[0]): Promise<Verification> {
    const v = await this.#transport.call<Verification>(call);
    if (typeof v.id !== 'string' || typeof v.status !== 'string') throw new Problem('unexpected_answer', { detail: "The server's answer is no verification." });
    return v;
  }
}
