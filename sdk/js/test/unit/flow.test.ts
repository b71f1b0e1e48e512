import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Flow, type FlowOptions } from '../../src/browser.js';
import { answer, approved, browser, memory, noAnswer, pending, play, problem, settle, type Reply } from './kit.js';

beforeEach(() => { vi.useFakeTimers({ now: Date.parse('2026-01-31T12:00:00Z') }); });
afterEach(() => { vi.useRealTimers(); });

function newFlow(replies: Reply[], options: Partial<FlowOptions> = {}) {
  const { fetch, asked } = play(...replies);
  const storage = memory();
  const flow = new Flow({ client: browser(fetch, { attempts: 1, devices: null }), storage, ...options });
  const end = flow.subscribe(() => {});
  return { flow, asked, storage, end };
}

test('from a number to a proof', async () => {
  const got: unknown[] = [];
  const { flow, asked, storage } = newFlow([answer(pending()), answer(approved())], {
    purpose: 'signup', region: 'US', nonce: async () => 'n-1', onApproved: (a) => got.push(a.proof),
  });
  await flow.start(' ４１５ 555 0123 ');
  expect(asked[0]?.body).toEqual({ to: '415 555 0123', purpose: 'signup', region: 'US', nonce: 'n-1' });
  expect(flow.state).toMatchObject({ step: 'code', busy: false, resendIn: 30, expiresIn: 300, resendable: true });
  expect(storage.getItem('countersign.pending.signup')).toBe('ver_1');
  await flow.check('Your code is 123456.');
  expect(asked[1]?.body).toEqual({ code: '123456' });
  expect(flow.state).toMatchObject({ step: 'done', proof: 'a.b.c', busy: false, problem: undefined });
  expect(got).toEqual(['a.b.c']);
  expect(storage.length).toBe(0);
});

test('a form that is sent twice sends once', async () => {
  const { flow, asked } = newFlow([answer(pending()), answer(approved())]);
  await Promise.all([flow.start('+1'), flow.start('+1'), flow.start('+1')]);
  expect(asked).toHaveLength(1);
  await Promise.all([flow.check('123456'), flow.check('123456'), flow.resend()]);
  expect(asked).toHaveLength(2);
  expect(flow.state.step).toBe('done');
});

test('an attempt that got no answer is repeated with its own key', async () => {
  const { flow, asked } = newFlow([noAnswer(), noAnswer(), answer(pending()), noAnswer(), problem(422, 'incorrect_code', { checks_left: 4 }), problem(422, 'incorrect_code', { checks_left: 3 })]);
  await flow.start('+1');
  expect(flow.state).toMatchObject({ step: 'phone', problem: { code: 'no_answer' } });
  await flow.start('+1');
  await flow.start('+2');
  expect(asked[1]?.key).toBe(asked[0]?.key);
  expect(asked[2]?.key).not.toBe(asked[0]?.key);
  await flow.check('111111');
  await flow.check('111111');
  expect(asked[4]?.key, 'the answer to the guess that was on its way').toBe(asked[3]?.key);
  await flow.check('111111');
  expect(asked[5]?.key, 'a guess that was answered').not.toBe(asked[4]?.key);
});

describe('what ends a verification', () => {
  test.each<[string, Reply, boolean]>([
    ['a wrong code', problem(422, 'incorrect_code', { checks_left: 4 }), false],
    ['the last wrong code', problem(422, 'incorrect_code', { checks_left: 0 }), true],
    ['closed', problem(409, 'verification_closed'), true],
    ['expired', problem(410, 'verification_expired'), true],
    ['gone', problem(404, 'not_found'), true],
    ['locked', problem(429, 'too_many_checks', { retry_after: 3600 }), false],
  ])('%s', async (_, reply, over) => {
    const { flow, asked } = newFlow([answer(pending()), reply]);
    await flow.start('+1');
    await flow.check('123456');
    expect(flow.state).toMatchObject({ step: 'code', over, busy: false });
    if (!over) return;
    await flow.check('123456');
    await flow.resend();
    expect(asked).toHaveLength(2);
    flow.back();
    expect(flow.state).toMatchObject({ step: 'phone', to: '+1', over: false, problem: undefined });
  });
});

test('waits are counted down against the clock', async () => {
  const { flow, end } = newFlow([answer(pending({ expires_in: 90 }))]);
  const states: number[] = [];
  flow.subscribe(() => states.push(flow.state.resendIn));
  await flow.start('+1');
  await vi.advanceTimersByTimeAsync(10_000);
  expect(flow.state).toMatchObject({ resendIn: 20, expiresIn: 80 });
  vi.setSystemTime(Date.now() + 40_000); // the tab slept
  await vi.advanceTimersByTimeAsync(1_000);
  expect(flow.state).toMatchObject({ resendIn: 0, expiresIn: 39 });
  await vi.advanceTimersByTimeAsync(39_000);
  expect(flow.state).toMatchObject({ over: true, problem: { code: 'verification_expired' }, expiresIn: 0 });
  expect(vi.getTimerCount()).toBe(0);
  end();
});

test('the clock stops when nobody looks', async () => {
  const { flow, end } = newFlow([answer(pending())]);
  await flow.start('+1');
  expect(vi.getTimerCount()).toBe(1);
  end();
  expect(vi.getTimerCount()).toBe(0);
});

test('sending again', async () => {
  const { flow, asked } = newFlow([answer(pending()), problem(429, 'resend_too_soon', { retry_after: 12 }), answer(pending({ sends: 2, sends_left: 0, resend_in: 0, channel: 'voice' }))]);
  await flow.start('+1');
  await flow.resend();
  expect(asked, 'too early').toHaveLength(1);
  await vi.advanceTimersByTimeAsync(30_000);
  await flow.resend();
  expect(flow.state).toMatchObject({ resendIn: 12, over: false, problem: { code: 'resend_too_soon' } });
  await vi.advanceTimersByTimeAsync(12_000);
  await flow.resend('voice');
  expect(asked[2]?.body).toEqual({ channel: 'voice' });
  expect(flow.state).toMatchObject({ resendable: false, problem: undefined, verification: { channel: 'voice' } });
});

test('a number that has to wait', async () => {
  const { flow } = newFlow([problem(429, 'too_many_sends', { retry_after: 5 })]);
  await flow.start('+1');
  expect(flow.state).toMatchObject({ step: 'phone', retryIn: 5 });
  await vi.advanceTimersByTimeAsync(5_000);
  expect(flow.state.retryIn).toBe(0);
});

test('the page is loaded again', async () => {
  const first = newFlow([answer(pending())]);
  await first.flow.start('+1');
  const second = newFlow([answer(pending({ expires_in: 100 }))], { storage: first.storage });
  await second.flow.resume();
  expect(second.asked[0]).toMatchObject({ method: 'GET', path: '/v1/verifications/ver_1' });
  expect(second.flow.state).toMatchObject({ step: 'code', expiresIn: 100 });
  const third = newFlow([answer(pending({ status: 'expired' }))], { storage: first.storage });
  await third.flow.resume();
  expect(third.flow.state).toMatchObject({ step: 'phone', problem: undefined });
  expect(first.storage.length).toBe(0);
  const other = newFlow([], { storage: first.storage, purpose: 'stepup' });
  await other.flow.resume();
  expect(other.asked).toHaveLength(0);
});

test('an answer that comes after going back changes nothing', async () => {
  let reply = (_: Response) => {};
  const { flow } = newFlow([() => new Promise<Response>((resolve) => { reply = resolve; }), answer(pending({ id: 'ver_2' }))]);
  const late = flow.start('+1');
  await settle();
  flow.back();
  reply(answer(pending()));
  await late;
  expect(flow.state).toMatchObject({ step: 'phone', busy: false });
  await flow.start('+2');
  expect(flow.state.verification?.id).toBe('ver_2');
});

test("the app's own server does not take the proof at first", async () => {
  let away = true;
  const taken: string[] = [];
  const { flow, asked } = newFlow([answer(pending()), answer(approved())], {
    onApproved: async (a) => {
      if (away) throw new Error('500');
      taken.push(a.proof);
    },
  });
  await flow.start('+1');
  await flow.check('123456');
  expect(flow.state).toMatchObject({ step: 'done', busy: false, proof: 'a.b.c', problem: { code: 'not_taken' } });
  away = false;
  await flow.retry();
  expect(flow.state.problem).toBeUndefined();
  expect(taken).toEqual(['a.b.c']);
  expect(asked, 'the code is not submitted again').toHaveLength(2);
});
