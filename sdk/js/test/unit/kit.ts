// What the unit tests share: an instance that plays prepared answers.

import { CountersignBrowser } from '../../src/browser.js';

export interface Asked {
  method: string;
  path: string;
  key: string | null;
  body: Record<string, unknown> | undefined;
}

export type Reply = Response | Error | ((asked: Asked) => Response | Promise<Response>);

/** A fetch that gives one reply a call, in their order, and fails a call too many. */
export function play(...replies: Reply[]): { fetch: typeof fetch; asked: Asked[] } {
  const asked: Asked[] = [];
  const left = [...replies];
  return {
    asked,
    fetch: async (input, init = {}) => {
      const headers = new Headers(init.headers);
      const one: Asked = {
        method: init.method ?? 'GET', path: new URL(String(input)).pathname + new URL(String(input)).search, key: headers.get('idempotency-key'),
        body: typeof init.body === 'string' ? JSON.parse(init.body) as Record<string, unknown> : undefined,
      };
      asked.push(one);
      const reply = left.shift();
      if (!reply) throw new Error(`a call too many: ${one.method} ${one.path}`);
      if (reply instanceof Error) throw reply;
      return typeof reply === 'function' ? reply(one) : reply;
    },
  };
}

export function answer(body: unknown, status = 200): Response {
  return new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/json' } });
}

export function problem(status: number, code: string, members: object = {}): Response {
  return new Response(JSON.stringify({ type: `https://x/problems/${code}`, title: 'T', status, code, detail: 'What to do.', request_id: 'req_1', ...members }), {
    status, headers: { 'content-type': 'application/problem+json; charset=utf-8' },
  });
}

export const noAnswer = (): Error => new TypeError('fetch failed');

export const pending = (members: object = {}) => ({
  id: 'ver_1', app: 'demo', status: 'pending', to: '+14155550123', channel: 'sms', purpose: 'login', reference: null, created_at: '2026-01-31T12:00:00Z',
  expires_at: '2026-01-31T12:05:00Z', expires_in: 300, code_length: 6, checks_left: 5, sends: 1, sends_left: 2, resend_in: 30, ...members,
});

export const approved = (members: object = {}) => pending({ status: 'approved', proof: 'a.b.c', expires_in: 0, resend_in: 0, ...members });

/** A store like localStorage. */
export function memory(): Storage {
  const map = new Map<string, string>();
  return {
    get length() { return map.size; },
    clear: () => map.clear(),
    key: (i) => [...map.keys()][i] ?? null,
    getItem: (k) => map.get(k) ?? null,
    setItem: (k, v) => { map.set(k, v); },
    removeItem: (k) => { map.delete(k); },
  };
}

export function browser(fetch: typeof globalThis.fetch, more: Partial<ConstructorParameters<typeof CountersignBrowser>[0]> = {}): CountersignBrowser {
  return new CountersignBrowser({ url: 'https://verify.example.com', key: 'pk_test', fetch, devices: memory(), ...more });
}

/** Lets everything that is ready to run do so. */
export const settle = async (): Promise<void> => { for (let i = 0; i < 20; i++) await Promise.resolve(); };
