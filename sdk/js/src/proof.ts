// Verifies proofs without a call to the instance. What is checked: `typ` and `alg`, the signature by a key of the
// instance that `kid` names, `iss`, `aud`, `exp`, `iat`, `purpose`, `nonce`, `txn`, that it is no proof of a test number,
// and with `once` that it was not used before. It needs WebCrypto: Node 20, Deno, Bun and workers have it.

import type { Transaction } from './wire.js';

/** Says whether a proof's id is used for the first time, and remembers it until then. It must be one step. */
export type Once = (id: string, until: Date) => boolean | Promise<boolean>;

export interface ProofOptions {
  /** The instance's public address, exactly as it calls itself. */
  issuer: string;
  /** The app's id. */
  app: string;
  /** Where proofs become single use; without it that is left to you. memoryOnce() serves one process. */
  once?: Once;
  /** The instance's keys, where they are not fetched from it. */
  keys?: { keys: readonly JsonWebKey[] };
  /** Take proofs of test numbers, whose codes are public. */
  allowTest?: boolean;
  fetch?: typeof fetch;
  now?: () => number;
}

/** What a proof must say. Everything is compared: no nonce wants a proof without one. */
export interface ProofWant {
  /** The one that you asked for. */
  purpose: 'signup' | 'login' | 'stepup' | 'transaction';
  /** The one of the person's session. */
  nonce?: string;
  /** What you are about to carry out, with purpose transaction; never what a browser sent. */
  transaction?: Transaction;
}

export interface ProofClaims {
  iss: string;
  aud: string;
  /** The verification. */
  sub: string;
  /** Use each once. */
  jti: string;
  iat: number;
  exp: number;
  nonce?: string;
  phone_number?: string;
  email?: string;
  purpose: string;
  amr: string[];
  reference?: string;
  txn?: string;
  test?: boolean;
}

const refusal = Symbol.for('countersign.ProofRefused');

/** A proof is not what was wanted. Any other error means that this could not be found out. */
export class ProofRefused extends Error {
  readonly [refusal] = true;

  constructor(why: string) {
    super(`proof refused: ${why}`);
    this.name = 'ProofRefused';
  }

  /** Bundlers like to copy a module: a refusal is one whichever copy made it. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === 'object' && value !== null && refusal in value;
  }
}

type Key = JsonWebKey & { kid?: string };

const leeway = 60; // seconds that two clocks may differ
const freshFor = 5 * 60_000;
const staleFor = 60 * 60_000;
const askAtMost = 10_000;

export class ProofVerifier {
  readonly #o: ProofOptions;
  readonly #now: () => number;
  #keys: readonly Key[] = [];
  #at = -Infinity;
  #asked = -Infinity;
  #asking: Promise<void> | undefined;

  constructor(options: ProofOptions) {
    this.#o = options;
    this.#now = options.now ?? Date.now;
    if (options.keys) {
      this.#keys = options.keys.keys;
    }
  }

  /** Checks a proof and says what it says. */
  async verify(token: string, want: ProofWant): Promise<ProofClaims> {
    const parts = typeof token === 'string' && token.length <= 16_384 ? token.split('.') : [];
    if (parts.length !== 3) throw new ProofRefused('it is no JWT');
    const [head, body, signature] = parts as [string, string, string];
    const header = parse(head);
    if (header.typ !== 'proof+jwt') throw new ProofRefused('its typ is not proof+jwt: this token is something else');
    if (header.alg !== 'ES256' || 'crit' in header || typeof header.kid !== 'string') throw new ProofRefused('it is not signed with ES256 by a named key');
    const key = await this.#find(header.kid);
    const signed = new TextEncoder().encode(`${head}.${body}`);
    if (!await crypto.subtle.verify({ name: 'ECDSA', hash: 'SHA-256' }, key, bytes(signature), signed)) {
      throw new ProofRefused("its signature is not the instance's");
    }
    const claims = parse(body) as unknown as ProofClaims;
    await this.#compare(claims, want);
    if (this.#o.once && !await this.#o.once(claims.jti, new Date((claims.exp + leeway) * 1000))) throw new ProofRefused('it was used before');
    return claims;
  }

  async #compare(c: ProofClaims, want: ProofWant): Promise<void> {
    const now = this.#now() / 1000;
    const refuse = (bad: boolean, why: string) => { if (bad) throw new ProofRefused(why); };
    refuse(!this.#o.issuer || c.iss !== this.#o.issuer, 'it is of another instance (iss)');
    refuse(!this.#o.app || c.aud !== this.#o.app, 'it is for another app (aud)');
    refuse(!Number.isFinite(c.exp) || now >= c.exp + leeway, 'its time has run out (exp)');
    refuse(!Number.isFinite(c.iat) || c.iat > now + leeway, 'it is from the future (iat); is a clock wrong?');
    refuse(!want.purpose || c.purpose !== want.purpose, 'it was made for another purpose');
    refuse((c.nonce ?? '') !== (want.nonce ?? ''), 'its nonce is not the one of this session');
    refuse((want.purpose === 'transaction') !== (want.transaction !== undefined), 'a transaction is compared with purpose transaction, and with no other');
    refuse((c.txn ?? '') !== (want.transaction ? await transactionHash(want.transaction) : ''), 'it approves another transaction (txn)');
    refuse(c.test === true && !this.#o.allowTest, 'it is of a test number, whose code is public');
    const text = (v: unknown) => typeof v === 'string' && v !== '';
    refuse(!text(c.jti) || !text(c.sub) || text(c.phone_number) === text(c.email), 'its claims are not those of a proof');
  }

  async #find(kid: string): Promise<CryptoKey> {
    const now = this.#now();
    const fixed = this.#o.keys !== undefined;
    let key = pick(this.#keys, kid);
    if (!fixed && (!key || now - this.#at >= freshFor) && now - this.#asked >= askAtMost) {
      try {
        await (this.#asking ??= this.#fetchKeys(now).finally(() => { this.#asking = undefined; }));
        key = pick(this.#keys, kid);
      } catch (error) {
        if (!key || now - this.#at > staleFor) throw error;
      }
    }
    if (!fixed && now - this.#at > staleFor) throw new Error("the instance's keys could not be fetched");
    if (!key) throw new ProofRefused('no key of the instance has its kid');
    return crypto.subtle.importKey('jwk', { kty: 'EC', crv: 'P-256', x: key.x!, y: key.y! }, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['verify']);
  }

  async #fetchKeys(now: number): Promise<void> {
    const ask = this.#o.fetch ?? fetch;
    try {
      const response = await ask(`${this.#o.issuer.replace(/\/$/, '')}/.well-known/jwks.json`, { signal: AbortSignal.timeout(5_000), redirect: 'error' });
      const set: unknown = response.ok ? await response.json() : undefined;
      if (typeof set !== 'object' || !set || !('keys' in set) || !Array.isArray(set.keys)) throw new Error(`it answered ${response.status}`);
      this.#keys = set.keys as Key[];
      this.#at = now;
    } catch (error) {
      throw new Error("the instance's keys could not be fetched", { cause: error });
    } finally {
      this.#asked = now;
    }
  }
}

/** Takes no key that is meant for something else. */
function pick(keys: readonly Key[], kid: string): Key | undefined {
  return keys.find((k) => k.kid === kid && k.kty === 'EC' && k.crv === 'P-256' && k.use !== 'enc' && (k.alg ?? 'ES256') === 'ES256' && k.x && k.y);
}

/** Decodes base64url in its one canonical form. */
function bytes(text: string): Uint8Array<ArrayBuffer> {
  try {
    if (!/^[A-Za-z0-9_-]*$/.test(text)) throw new Error('not base64url');
    const binary = atob(text.replace(/-/g, '+').replace(/_/g, '/'));
    if (base64url(binary) !== text) throw new Error('not canonical');
    return Uint8Array.from(binary, (c) => c.charCodeAt(0));
  } catch {
    throw new ProofRefused('it is no JWT');
  }
}

function base64url(binary: string): string {
  return btoa(binary).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
}

function parse(part: string): Record<string, unknown> {
  const decoded = bytes(part);
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(decoded));
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch { /* refused below */ }
  throw new ProofRefused('it is no JWT');
}

/** The claim `txn` of a transaction: base64url of SHA-256 over its canonical JSON (RFC 8785). */
export async function transactionHash({ amount, currency, payee }: Transaction): Promise<string> {
  // JSON.stringify writes strings as RFC 8785, 3.2.2.2 wants them, as long as they are Unicode; the members stand sorted.
  const text = JSON.stringify({ amount, currency, payee });
  if (/\\ud[89a-f]/.test(text)) throw new TypeError('a transaction has a lone surrogate in it');
  const sum = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text));
  return base64url(String.fromCharCode(...new Uint8Array(sum)));
}

/** Remembers used proofs in this process: right for one process, and for nothing that runs twice. */
export function memoryOnce(now: () => number = Date.now): Once {
  const used = new Map<string, number>();
  return (id, until) => {
    for (const [old, end] of used) if (end <= now()) used.delete(old);
    if (used.has(id)) return false;
    used.set(id, until.getTime());
    return true;
  };
}
