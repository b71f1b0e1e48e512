// Against a running sandbox: COUNTERSIGN_URL is its address, and ORIGIN one that its app demo allows.

import { expect, test } from 'vitest';
import { CountersignBrowser } from '../../src/browser.js';
import { Countersign, Problem, ProofRefused, memoryOnce } from '../../src/server.js';

const { COUNTERSIGN_URL: url, ORIGIN: origin } = process.env;
if (!url || !origin) throw new Error('COUNTERSIGN_URL and ORIGIN want a running sandbox; the Go test TestTheJavaScriptSDK starts one');

const server = new Countersign({ url, key: 'sk_sandbox_demo' });

/** A browser sends the header Origin by itself; here it is written. */
const asPage: typeof fetch = (input, init = {}) => fetch(input, { ...init, headers: { ...init.headers as Record<string, string>, Origin: origin } });
const page = new CountersignBrowser({ url, key: 'pk_sandbox_demo', fetch: asPage, devices: null });

async function codeOf(to: string): Promise<string> {
  const response = await fetch(`${url}/dev/inbox.json?to=${encodeURIComponent(to)}`);
  const { messages } = await response.json() as { messages: { code: string }[] };
  return messages[0]!.code;
}

const wrong = (code: string) => code.replace(/.$/, (last) => String((Number(last) + 1) % 10));

test('a server: start, wrong code, right code, proof', async () => {
  const to = '+14155550151';
  const transaction = { payee: "Å-ACME AB", amount: '49.90', currency: 'EUR' };
  const v = await server.start({ to: '(415) 555-0151', region: 'US', purpose: 'transaction', transaction, nonce: 'n-1', reference: 'order-17', client: { ip: '203.0.113.7' } });
  expect(v).toMatchObject({ status: 'pending', to, reference: 'order-17', checks_left: 5 });
  expect((await server.get(v.id)).id).toBe(v.id);
  await expect(server.send(v.id)).rejects.toMatchObject({ code: 'resend_too_soon', retryAfter: expect.any(Number) });
  const code = await codeOf(to);
  await expect(server.check(v.id, { code: wrong(code) })).rejects.toMatchObject({ code: 'incorrect_code', checksLeft: 4 });
  await expect(server.check(v.id, { code: 'x' })).rejects.toMatchObject({ code: 'invalid_code' });
  const { proof } = await server.check(v.id, { code: `${code.slice(0, 3)} ${code.slice(3)}` });

  const proofs = server.proofs({ app: 'demo', once: memoryOnce() });
  const want = { purpose: 'transaction', nonce: 'n-1', transaction } as const;
  await expect(proofs.verify(proof, { ...want, transaction: { ...transaction, amount: '4990' } })).rejects.toThrow(ProofRefused);
  expect(await proofs.verify(proof, want)).toMatchObject({ phone_number: to, sub: v.id, reference: 'order-17', amr: ['otp', 'sms'] });
  await expect(proofs.verify(proof, want)).rejects.toThrow(/used before/);
});

test('a server: by phone, cancel, list, idempotency', async () => {
  const to = '+14155550152';
  const first = await server.start({ to, purpose: 'signup' }, { idempotencyKey: 'sdk-once' });
  expect((await server.start({ to, purpose: 'signup' }, { idempotencyKey: 'sdk-once' })).id).toBe(first.id);
  await expect(server.start({ to: '+14155550153' }, { idempotencyKey: 'sdk-once' })).rejects.toMatchObject({ code: 'idempotency_mismatch' });
  expect((await server.checkByPhone({ to, code: await codeOf(to), purpose: 'signup' })).id).toBe(first.id);
  const second = await server.start({ to: '+14155550154' });
  expect((await server.cancel(second.id)).status).toBe('canceled');
  await expect.poll(async () => {
    const ids: string[] = [];
    for await (const v of server.all({ limit: 1 })) ids.push(v.id);
    return ids;
  }).toEqual(expect.arrayContaining([first.id, second.id]));
  await expect(server.get('ver_none')).rejects.toMatchObject({ code: 'not_found' });
});

test('a browser: start, read, check; nothing of deliveries', async () => {
  const to = '+14155550155';
  const v = await page.start({ to: '４１５ ５５５ ０１５５', region: 'US', nonce: 'n-2' });
  expect(v).toMatchObject({ status: 'pending', to });
  expect(v).not.toHaveProperty('deliveries');
  expect((await page.get(v.id)).status).toBe('pending');
  const { proof } = await page.check(v, await codeOf(to));
  expect(await server.proofs({ app: 'demo' }).verify(proof, { purpose: 'login', nonce: 'n-2' })).toMatchObject({ phone_number: to });
});

test('a login: redeem, refresh, devices, log out, erase', async () => {
  const to = '+14155550157';
  const v = await server.start({ to, nonce: 'n-3' });
  const { proof } = await server.check(v.id, { code: await codeOf(to) });
  const s = await server.redeem({ proof, nonce: 'n-3' });
  expect(s).toMatchObject({ user: { phone_number: to }, token_type: 'Bearer', expires_in: 900 });
  await expect(server.redeem({ proof, nonce: 'n-3' })).rejects.toMatchObject({ code: 'proof_redeemed' });
  expect((await server.me(s.access_token)).id).toBe(s.user.id);
  expect(await server.devices(s.access_token)).toMatchObject([{ current: true, kind: 'bearer' }]);
  expect((await server.lookupUser(to))?.id).toBe(s.user.id);
  expect(await server.lookupUser('+14155550158')).toBeUndefined();
  const next = await server.refresh(s.refresh_token);
  await server.endSession(next.access_token);
  await expect(server.me(next.access_token)).rejects.toMatchObject({ code: 'session_revoked' });
  await server.eraseUser(s.user.id);
  await expect(server.user(s.user.id)).rejects.toMatchObject({ code: 'not_found' });
});

test('a page of another origin', async () => {
  const foreign = new CountersignBrowser({ url, key: 'pk_sandbox_demo', devices: null, fetch: (i, init = {}) => fetch(i, { ...init, headers: { ...init.headers as Record<string, string>, Origin: 'https://evil.example' } }) });
  const error = await foreign.start({ to: '+14155550156' }).catch((e: unknown) => e);
  expect(Problem.is(error, 'forbidden')).toBe(true);
});
