import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { CountersignBrowser } from '../../src/browser.js';
import { findCode, typed } from '../../src/digits.js';
import { Countersign, Problem } from '../../src/server.js';
import { answer, approved, noAnswer, pending, play, problem, type Reply } from './kit.js';

const server = (fetch: typeof globalThis.fetch) => new Countersign({ url: 'https://verify.example.com/', key: 'sk_very_secret', fetch });

describe('what is typed', () => {
  test.each([
    ['٠١٢٣٤٥٦٧٨٩', '0123456789'], ['۰۱۲۳۴۵۶۷۸۹', '0123456789'], ['०१२३४५६७८९', '0123456789'], ['（４１５）５５５－０１２３', '(415)555-0123'],
    ['\u202a+46\u00a070\u2011174\u202c', '+46 70-174'], [' +1 415 ', '+1 415'], ['𝟙', '𝟙'],
  ])('%s', (text, want) => expect(typed(text)).toBe(want));

  test.each([
    ['123456', '123456'], ['123 456', '123456'], ['12-34-56', '123456'], ['١٢٣٤٥٦', '123456'], ['Your Demo code is 123456. It is good for 5 minutes.', '123456'],
    ['12345', undefined], ['1234567', undefined], ['AB12CD', 'AB12CD'], ['', undefined], ['Call +46701740615', undefined],
  ])('the code in %s', (text, want) => expect(findCode(text, 6)).toBe(want));
});

describe('refusals', () => {
  test('a wrong code', async () => {
    const { fetch } = play(problem(422, 'incorrect_code', { checks_left: 3 }));
    const error = await server(fetch).check('ver_1', { code: '123456' }).catch((e: unknown) => e);
    expect(Problem.is(error, 'incorrect_code')).toBe(true);
    expect(error).toMatchObject({ code: 'incorrect_code', checksLeft: 3, status: 422, requestId: 'req_1', message: 'incorrect_code: What to do.' });
  });

  test.each<[string, Reply, string]>([
    ["a proxy's page", new Response('<h1>', { status: 404 }), 'unexpected_answer'],
    ["another's problem", new Response('{"x', { status: 404, headers: { 'content-type': 'application/problem+json' } }), 'unexpected_answer'],
    ['a page for an answer', new Response('<html>'), 'unexpected_answer'],
    ['nothing for an answer', answer(null), 'unexpected_answer'],
    ['another answer', answer({}), 'unexpected_answer'],
    ['pending for approved', answer(pending()), 'unexpected_answer'],
    ['approved without proof', answer(approved({ proof: undefined })), 'unexpected_answer'],
    ['no answer', noAnswer(), 'no_answer'],
  ])('%s', async (_, reply, code) => {
    const { fetch, asked } = play(reply);
    await expect(server(fetch).check('ver_1', { code: '1' })).rejects.toMatchObject({ name: 'Problem', code });
    expect(asked).toHaveLength(1);
  });
});

describe('what is tried again', () => {
  beforeEach(() => { vi.useFakeTimers(); });
  afterEach(() => { vi.useRealTimers(); });

  const start = (c: Countersign) => c.start({ to: '+14155550123' });
  const check = (c: Countersign) => c.check('ver_1', { code: '123456' });
  const get = (c: Countersign) => c.get('ver_1');

  test.each<[string, (c: Countersign) => Promise<unknown>, Reply, boolean]>([
    ['a start that got no answer', start, noAnswer(), true],
    ['a start while the store is away', start, problem(503, 'unavailable', { retry_after: 1 }), true],
    ['a start that still runs', start, problem(409, 'idempotency_in_progress', { retry_after: 1 }), true],
    ['a start that a balancer could not place', start, new Response('', { status: 502 }), true],
    ['a start after which one has to wait', start, problem(429, 'resend_too_soon', { retry_after: 3 }), false],
    ['a start that no route took', start, problem(502, 'delivery_failed'), false],
    ['a start while the store is away for long', start, problem(503, 'unavailable', { retry_after: 60 }), false],
    ['a check that got no answer', check, noAnswer(), false],
    ['a check while the store is away', check, problem(503, 'unavailable', { retry_after: 1 }), false],
    ['a read that got no answer', get, noAnswer(), true],
  ])('%s', async (_, call, first, again) => {
    const { fetch, asked } = play(first, ...(again ? [answer(pending())] : []));
    const done = call(server(fetch)).then(() => true, () => false);
    await vi.runAllTimersAsync();
    expect(await done).toBe(again);
    expect(asked).toHaveLength(again ? 2 : 1);
    expect(asked.at(-1)?.key).toBe(asked[0]?.key);
  });

  test('and no more when the caller has gone', async () => {
    const { fetch, asked } = play(noAnswer());
    const stop = new AbortController();
    const done = server(fetch).start({ to: '+1' }, { signal: stop.signal }).catch((e: unknown) => e);
    await vi.advanceTimersByTimeAsync(1);
    stop.abort(new Error('gone'));
    expect(await done).toMatchObject({ message: 'gone' });
    expect(asked).toHaveLength(1);
  });
});

test('every POST has a key of its own, or the one that was given', async () => {
  const { fetch, asked } = play(answer(pending()), answer(pending()), answer(pending()), answer(pending()));
  const c = server(fetch);
  await c.start({ to: '+1' });
  await c.send('ver_1');
  await c.cancel('ver_1', { idempotencyKey: 'mine' });
  await c.get('ver_1');
  expect(asked.map((a) => a.key)).toEqual([expect.stringMatching(/^[0-9a-f]{32}$/), expect.stringMatching(/^[0-9a-f]{32}$/), 'mine', null]);
  expect(asked[0]?.key).not.toBe(asked[1]?.key);
});

test('a list is read page by page', async () => {
  const { fetch, asked } = play(answer({ data: [{ id: 'c' }, { id: 'b' }], next_cursor: 'n/1' }), answer({ data: [{ id: 'a' }], next_cursor: null }));
  const ids: string[] = [];
  for await (const v of server(fetch).all({ to: '+1 415', created_after: new Date(0) })) ids.push(v.id);
  expect(ids).toEqual(['c', 'b', 'a']);
  expect(asked[1]?.path).toBe('/v1/verifications?to=%2B1+415&created_after=1970-01-01T00%3A00%3A00.000Z&cursor=n%2F1');
});

test('an id stays in its place', async () => {
  const { fetch, asked } = play(answer(pending()));
  for (const id of ['', '.', '..']) await expect(async () => server(fetch).get(id)).rejects.toThrow(TypeError);
  await server(fetch).get('../checks?x#');
  expect(asked[0]?.path).toBe('/v1/verifications/..%2Fchecks%3Fx%23');
});

test('the key is not printed', () => {
  const c = server(fetch);
  expect(inspect(c, { depth: 5, showHidden: true }) + JSON.stringify(c)).not.toContain('secret');
});

test('what a client refuses to be made of', () => {
  for (const options of [{ url: 'verify', key: 'k' }, { url: 'ftp://x', key: 'k' }, { url: 'https://u@x', key: 'k' }, { url: 'https://x', key: '' }, { url: 'https://x', key: 'a\nb' }]) {
    expect(() => new Countersign(options)).toThrow(TypeError);
  }
  expect(() => new CountersignBrowser({ url: 'https://x', key: 'sk_live' })).toThrow(/secret key/);
});
