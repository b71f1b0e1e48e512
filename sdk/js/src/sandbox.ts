// What an instance in sandbox mode has for tests: an inbox in place of phones, a clock, and a carrier that does as it is
// told. No other instance answers these calls.

import type { components } from './api.js';
import { Problem } from './problem.js';
import { Transport, type CallOptions, type ClientOptions } from './transport.js';

type Schemas = components['schemas'];

/** A message as a phone would show it. */
export type InboxMessage = Schemas['InboxMessage'];

/** What becomes of messages. */
export type CarrierRule = Schemas['CarrierRule'];

/** Calls one sandbox. */
export class Sandbox {
  readonly #transport: Transport;

  constructor(options: Omit<ClientOptions, 'key'> & { key?: string }) {
    this.#transport = new Transport({ key: 'sk_sandbox_demo', ...options });
  }

  /** The messages to a number, newest first; everyone's without one. */
  async inbox(to?: string): Promise<InboxMessage[]> {
    return (await this.#transport.call<{ messages: InboxMessage[] }>({ method: 'GET', path: `/dev/inbox.json${of(to)}`, repeat: true, as: null })).messages;
  }

  /**
   * The messages that come from now on, each as it comes; it listens already when the promise is kept. It ends when the
   * loop over it is left, or the signal fires.
   */
  async messages(to?: string, { signal }: Pick<CallOptions, 'signal'> = {}): Promise<AsyncGenerator<InboxMessage, void>> {
    return events(await this.#transport.open(`/dev/inbox/events${of(to)}`, signal));
  }

  /** Forgets all messages. */
  emptyInbox(): Promise<void> {
    return this.#transport.call({ method: 'DELETE', path: '/dev/inbox.json', repeat: true, as: null });
  }

  /** Forgets everything that counts: cooldowns, rates, budgets, guesses and locks. */
  forgetLimits(): Promise<void> {
    return this.#transport.call({ method: 'DELETE', path: '/dev/limits', repeat: true });
  }

  /** Puts the clock forward, by a span such as `90s`, and says how late it is then. */
  async advance(by: string): Promise<Date> {
    return new Date((await this.#transport.call<{ now: string }>({ method: 'POST', path: '/dev/clock', body: { advance: by }, repeat: false, as: null })).now);
  }

  /** The carrier's rules, and how many messages each has seen. */
  async carrier(): Promise<CarrierRule[]> {
    return (await this.#transport.call<Schemas['CarrierBody']>({ method: 'GET', path: '/dev/carrier', repeat: true, as: null })).rules;
  }

  /** Puts rules in the place of all that there were. Of several the first that matches decides. */
  async setCarrier(...rules: CarrierRule[]): Promise<CarrierRule[]> {
    return (await this.#transport.call<Schemas['CarrierBody']>({ method: 'PUT', path: '/dev/carrier', body: { rules }, repeat: true, as: null })).rules;
  }

  /** Forgets the carrier's rules: numbers decide again. */
  clearCarrier(): Promise<void> {
    return this.#transport.call({ method: 'DELETE', path: '/dev/carrier', repeat: true, as: null });
  }
}

const of = (to?: string): string => (to ? `?${new URLSearchParams({ to })}` : '');

/** Reads server-sent events (HTML standard, 9.2), as far as the sandbox sends them: one line of data each. */
async function* events(body: ReadableStream<Uint8Array>): AsyncGenerator<InboxMessage, void> {
  const reader = body.pipeThrough(new TextDecoderStream() as unknown as TransformStream<Uint8Array, string>).getReader();
  let text = '';
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) throw new Problem('no_answer', { detail: 'The stream of messages ended.' });
      const lines = (text + value).split('\n');
      text = lines.pop() ?? '';
      for (const line of lines) if (line.startsWith('data:')) yield JSON.parse(line.slice(5)) as InboxMessage;
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}
