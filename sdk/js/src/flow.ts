// What a phone form and a code form do, without how they look: the React hook and the web component stand on it.
// The rules: one call at a time, so that a form that is sent twice sends once; an attempt that got no answer is repeated
// with its own Idempotency-Key; the page can be loaded again without losing the code form; what is counted down is
// counted against an instant, so that a tab that slept is right when it wakes.

import type { CountersignBrowser } from './browser.js';
import { findCode, typed } from './digits.js';
import { Problem } from './problem.js';
import { randomKey } from './transport.js';
import type { Approved, Channel, Purpose, StartRequest, Transaction, Verification } from './wire.js';

export type FlowStep = 'phone' | 'code' | 'done';

export interface FlowState {
  readonly step: FlowStep;
  /** A call is on its way. */
  readonly busy: boolean;
  /** A proof of work is being done. */
  readonly working: boolean;
  /** What was typed as the number, so that going back does not lose it. */
  readonly to: string;
  readonly verification: Verification | undefined;
  /** Why the last attempt came to nothing. */
  readonly problem: Problem | undefined;
  /** This verification takes no more guesses: start again. */
  readonly over: boolean;
  /** Seconds until the code may be sent again; 0 is now. */
  readonly resendIn: number;
  /** Whether the code can be sent again at all. */
  readonly resendable: boolean;
  /** Seconds that the code is still good for. */
  readonly expiresIn: number;
  /** Seconds until trying again can help, after a refusal. */
  readonly retryIn: number;
  /** The proof, once approved. */
  readonly proof: string | undefined;
}

export interface FlowOptions {
  client: CountersignBrowser;
  purpose?: Purpose | undefined;
  region?: string | undefined;
  locale?: string | undefined;
  reference?: string | undefined;
  metadata?: Record<string, string> | undefined;
  transaction?: Transaction | undefined;
  /** From your server, which keeps it in the person's session: the proof carries it back. A function is asked before every start. */
  nonce?: string | (() => string | Promise<string>) | undefined;
  channel?: StartRequest['channel'] | undefined;
  /** Given the proof, to be sent to your server. While it runs the form is busy; where it throws, it can be tried again. */
  onApproved?: ((approved: Approved) => unknown) | undefined;
  /** Where the pending verification is kept, so that the page can be loaded again: sessionStorage by default, null for nowhere. */
  storage?: Pick<Storage, 'getItem' | 'setItem' | 'removeItem'> | null | undefined;
}

const initial: FlowState = {
  step: 'phone', busy: false, working: false, to: '', verification: undefined, problem: undefined, over: false,
  resendIn: 0, resendable: false, expiresIn: 0, retryIn: 0, proof: undefined,
};

/** The refusals after which a verification is at its end. */
const ends = ['verification_closed', 'verification_expired', 'not_found'];

export class Flow {
  options: FlowOptions;
  #state = initial;
  #approved: Approved | undefined;
  #listeners = new Set<() => void>();
  #timer: ReturnType<typeof setInterval> | undefined;
  #until = { resend: 0, expires: 0, retry: 0 }; // instants, in milliseconds
  #stop = new AbortController();
  #attempt: { what: string; key: string } | undefined;

  constructor(options: FlowOptions) {
    this.options = options;
  }

  /** The state. It is another object after every change, and the same while there is none. */
  get state(): FlowState {
    return this.#state;
  }

  /** Is told of every change; gives what ends that. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    this.#wind();
    return () => {
      this.#listeners.delete(listener);
      this.#wind();
    };
  }

  /** Takes up the verification that was pending when the page was left. */
  async resume(): Promise<void> {
    const id = this.#storage()?.getItem(this.#name());
    if (!id || this.#state.step !== 'phone') return;
    await this.#do(async (signal) => {
      const v = await this.options.client.get(id, { signal }).catch((error) => {
        if (!Problem.is(error, 'not_found')) throw error;
      });
      signal.throwIfAborted();
      if (v?.status === 'pending') this.#take(v);
      else this.#forget();
    });
  }

  /** Sends a code to a number. */
  async start(to: string): Promise<void> {
    const { client, nonce, onApproved: _, storage: __, client: ___, ...rest } = { ...this.options };
    this.#set({ to });
    await this.#do(async (signal) => {
      const bound = typeof nonce === 'function' ? await nonce() : nonce;
      const request = { ...defined(rest), to: typed(to), ...(bound ? { nonce: bound } : {}) };
      const v = await client.start(request, { signal, idempotencyKey: this.#key('start', request), onWork: (working) => this.#set({ working }) });
      signal.throwIfAborted();
      this.#take(v);
    });
  }

  /** Sends the code again, maybe by another channel. */
  async resend(channel?: Channel | 'auto'): Promise<void> {
    const v = this.#state.verification;
    if (!v || this.#state.over || this.#state.resendIn > 0) return;
    await this.#do(async (signal) => {
      const sent = await this.options.client.send(v, channel, { signal, idempotencyKey: this.#key('send', [v.id, v.sends, channel]), onWork: (working) => this.#set({ working }) });
      signal.throwIfAborted();
      this.#take(sent);
    });
  }

  /** Submits a code. Once it is approved, onApproved is given the proof. */
  async check(text: string): Promise<void> {
    const v = this.#state.verification;
    if (!v || this.#state.over || this.#state.step !== 'code') return;
    const code = findCode(text, v.code_length) ?? typed(text);
    await this.#do(async (signal) => {
      const approved = await this.options.client.check(v, code, { signal, idempotencyKey: this.#key('check', [v.id, code]) });
      signal.throwIfAborted();
      this.#approved = approved;
      this.#forget();
      this.#set({ step: 'done', proof: approved.proof, verification: approved, expiresIn: 0, resendIn: 0 });
      await this.#hand(approved);
    });
  }

  /** Gives the proof to onApproved once more, after it threw. */
  async retry(): Promise<void> {
    const approved = this.#approved;
    if (approved) await this.#do(() => this.#hand(approved));
  }

  /** Back to the phone form. A wait that the number has stays. */
  back(): void {
    this.#stop.abort();
    this.#stop = new AbortController();
    this.#forget();
    this.#approved = undefined;
    this.#until = { resend: 0, expires: 0, retry: 0 };
    this.#set({ ...initial, to: this.#state.to });
  }

  async #hand(approved: Approved): Promise<void> {
    try {
      await this.options.onApproved?.(approved);
    } catch (error) {
      throw Problem.is(error) ? error : new Problem('not_taken', { detail: error instanceof Error ? error.message : '', cause: error });
    }
  }

  /** Runs one call at a time, and turns what it throws into the state's problem. */
  async #do(run: (signal: AbortSignal) => Promise<void>): Promise<void> {
    if (this.#state.busy) return;
    const { signal } = this.#stop;
    this.#set({ busy: true, problem: undefined, retryIn: 0 });
    this.#until.retry = 0;
    try {
      await run(signal);
      if (!signal.aborted) this.#set({ busy: false });
    } catch (error) {
      if (signal.aborted) return; // back was pressed; the state is of what came after
      const problem = Problem.is(error) ? error : new Problem('internal', { detail: 'A fault of this page.', cause: error });
      this.#fail(problem);
    }
  }

  #fail(problem: Problem): void {
    if (problem.retryAfter) this.#until.retry = Date.now() + problem.retryAfter * 1000;
    if (problem.code === 'resend_too_soon' && this.#state.step === 'code') this.#until.resend = this.#until.retry;
    const over = this.#state.step === 'code' && (ends.includes(problem.code) || problem.checksLeft === 0);
    if (over) this.#forget();
    if (problem.code !== 'no_answer' && problem.code !== 'unavailable') this.#attempt = undefined;
    this.#set({ busy: false, working: false, problem, over: this.#state.over || over });
    this.#tick();
  }

  /** Shows the code form of a pending verification. */
  #take(v: Verification): void {
    this.#attempt = undefined;
    this.#until.resend = Date.now() + v.resend_in * 1000;
    this.#until.expires = Date.now() + v.expires_in * 1000;
    try {
      this.#storage()?.setItem(this.#name(), v.id);
    } catch { /* full, or forbidden: a reload starts anew */ }
    this.#set({ step: 'code', verification: v, over: false, resendable: v.sends_left > 0 });
    this.#tick();
  }

  /** The same attempt has the same key until it was answered. */
  #key(...parts: unknown[]): string {
    const what = JSON.stringify(parts);
    if (this.#attempt?.what !== what) this.#attempt = { what, key: randomKey() };
    return this.#attempt.key;
  }

  #tick(): void {
    const left = (until: number) => Math.max(0, Math.ceil((until - Date.now()) / 1000));
    const s = this.#state;
    const pending = s.step === 'code' && !s.over;
    const next = { resendIn: pending ? left(this.#until.resend) : 0, expiresIn: pending ? left(this.#until.expires) : 0, retryIn: left(this.#until.retry) };
    if (pending && next.expiresIn === 0) {
      this.#forget();
      this.#set({ ...next, over: true, problem: new Problem('verification_expired', { detail: 'The time of the code ran out. Start again.' }) });
    } else if (next.resendIn !== s.resendIn || next.expiresIn !== s.expiresIn || next.retryIn !== s.retryIn) {
      this.#set(next);
    }
    this.#wind();
  }

  /** The clock runs while somebody looks and there is something to count down. */
  #wind(): void {
    const needed = this.#listeners.size > 0 && ((this.#state.step === 'code' && !this.#state.over) || this.#until.retry > Date.now());
    if (needed && this.#timer === undefined) {
      this.#timer = setInterval(() => this.#tick(), 1000);
    } else if (!needed && this.#timer !== undefined) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    }
  }

  #set(change: Partial<FlowState>): void {
    this.#state = { ...this.#state, ...change };
    for (const listener of [...this.#listeners]) listener();
  }

  #forget(): void {
    this.#storage()?.removeItem(this.#name());
  }

  #name(): string {
    return `countersign.pending.${this.options.purpose ?? 'login'}`;
  }

  #storage(): Pick<Storage, 'getItem' | 'setItem' | 'removeItem'> | null {
    if (this.options.storage !== undefined) return this.options.storage;
    try {
      return globalThis.sessionStorage ?? null;
    } catch {
      return null; // forbidden by the browser's settings
    }
  }
}

/** What has a value, so that the instance's defaults hold for the rest. */
function defined<T extends object>(o: T): T {
  return Object.fromEntries(Object.entries(o).filter(([, v]) => v !== undefined)) as T;
}
