// This file makes the calls. Its one decision is which of them may be made again: what has an Idempotency-Key or
// changes nothing, after no answer or one that says that nothing was done. A check never is: guesses are counted.

import { Problem, readProblem } from './problem.js';

export interface ClientOptions {
  /** The instance's address, such as https://verify.example.com. */
  url: string;
  /** An API key of the app. */
  key: string;
  /** What carries the calls; the global fetch by default. */
  fetch?: typeof fetch;
  /** How often a call is tried at most, where repeating is safe; 3 by default. */
  attempts?: number;
  /** Milliseconds after which a try is given up; 15 000 by default. */
  timeout?: number;
}

export interface CallOptions {
  /** 1 to 255 visible ASCII characters of your own. The same key with the same body does nothing again. Random by default. */
  idempotencyKey?: string | undefined;
  signal?: AbortSignal | undefined;
}

/** Calls by the session's cookie, which a page of the instance's own site has and no script can read. */
export const byCookie = Symbol('by cookie');

export interface Call extends CallOptions {
  method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  path: string;
  body?: unknown;
  repeat: boolean;
  /** An access token in place of the key, or the cookie; null for no authorization at all. */
  as?: string | typeof byCookie | null | undefined;
  /** Takes the cookies that the answer sets. */
  cookie?: boolean | undefined;
}

const firstPause = 200;
const longestPause = 5_000;

export class Transport {
  readonly base: string;
  readonly #key: string; // private, so that no print of a client shows it
  readonly #fetch: typeof fetch;
  readonly #attempts: number;
  readonly #timeout: number;

  constructor(options: ClientOptions) {
    const url = URL.canParse(options.url) ? new URL(options.url) : undefined;
    if (!url || !/^https?:$/.test(url.protocol) || url.username || url.search || url.hash) {
      throw new TypeError('url wants an address such as https://verify.example.com');
    }
    if (!/^[!-~]+$/.test(options.key)) throw new TypeError('key wants an API key of the app');
    this.base = url.href.replace(/\/$/, '');
    this.#key = options.key;
    this.#fetch = options.fetch ?? ((...args) => fetch(...args));
    this.#attempts = options.attempts ?? 3;
    this.#timeout = options.timeout ?? 15_000;
  }

  async call<T>(call: Call): Promise<T> {
    if (call.method === 'POST' && call.as === undefined) call = { ...call, idempotencyKey: call.idempotencyKey ?? randomKey() };
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#once<T>(call);
      } catch (error) {
        const pause = pauseAfter(error, attempt);
        if (!call.repeat || call.signal?.aborted || attempt >= this.#attempts || pause === undefined) throw error;
        await sleep(pause, call.signal);
      }
    }
  }

  async #once<T>(call: Call): Promise<T> {
    const timeout = AbortSignal.timeout(this.#timeout);
    try {
      const response = await this.#fetch(this.base + call.path, this.#request(call, call.signal ? AbortSignal.any([call.signal, timeout]) : timeout));
      if (!response.ok) throw await readProblem(response);
      if (response.status === 204) return undefined as T;
      const answer: unknown = await response.json();
      if (typeof answer !== 'object' || answer === null) throw new SyntaxError('not an object');
      return answer as T;
    } catch (error) {
      throw this.#failure(error, call.signal);
    }
  }

  /** Opens an answer that has no end, such as a stream of events. */
  async open(path: string, signal?: AbortSignal): Promise<ReadableStream<Uint8Array>> {
    try {
      const response = await this.#fetch(this.base + path, this.#request({ method: 'GET', path, repeat: false, as: null }, signal));
      if (!response.ok) throw await readProblem(response);
      if (!response.body) throw new SyntaxError('no body');
      return response.body;
    } catch (error) {
      throw this.#failure(error, signal);
    }
  }

  #request(call: Call, signal: AbortSignal | undefined): RequestInit {
    const headers: Record<string, string> = {};
    if (call.as !== null && call.as !== byCookie) headers.Authorization = `Bearer ${call.as ?? this.#key}`;
    if (call.idempotencyKey !== undefined) headers['Idempotency-Key'] = call.idempotencyKey;
    if (call.body !== undefined) headers['Content-Type'] = 'application/json';
    return {
      method: call.method,
      headers,
      body: call.body === undefined ? null : JSON.stringify(call.body),
      signal: signal ?? null,
      cache: 'no-store',
      credentials: call.as === byCookie || call.cookie ? 'same-origin' : 'omit',
      redirect: 'error',
    };
  }

  #failure(error: unknown, signal?: AbortSignal): unknown {
    if (error instanceof Problem) return error;
    if (signal?.aborted) return signal.reason;
    if (error instanceof SyntaxError) return new Problem('unexpected_answer', { detail: "The server's answer is no JSON object.", cause: error });
    return new Problem('no_answer', { detail: `${this.base} could not be reached, or took too long.`, cause: error });
  }
}

/** Milliseconds to wait before the next try; undefined where there shall be none. */
function pauseAfter(error: unknown, attempt: number): number | undefined {
  if (!(error instanceof Problem)) return undefined;
  const later = ['no_answer', 'unavailable', 'idempotency_in_progress'].includes(error.code) || (error.code === 'unexpected_answer' && [502, 503, 504].includes(error.status));
  const most = firstPause * 2 ** (attempt - 1);
  const pause = Math.max((error.retryAfter ?? 0) * 1000, most * (0.5 + Math.random() / 2));
  return later && pause <= longestPause ? pause : undefined;
}

function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, ms);
    signal?.addEventListener('abort', stop, { once: true });
  });
}

/** 128 random bits. */
export function randomKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, '0')).join('');
}

/** The path of a verification. */
export const pathOf = (id: string, rest = ''): string => under('/v1/verifications/', id) + rest;

/** The path of a thing. An id that would lead elsewhere is refused. */
export function under(prefix: string, id: string): string {
  if (!id || id === '.' || id === '..') throw new TypeError('an id is needed');
  return prefix + encodeURIComponent(id);
}
