// Against a running sandbox: COUNTERSIGN_URL is its address, and ORIGIN one that its app demo allows.

import { createHmac } from 'node:crypto';
import { expect, test } from 'vitest';
import { CountersignBrowser } from '../../src/browser.js';
import { Sandbox } from '../../src/sandbox.js';
import { Countersign, Problem, ProofRefused, memoryOnce } from '../../src/server.js';

const { COUNTERSIGN_URL: url, ORIGIN: origin } = process.env;
if (!url || !origin) throw new Error('COUNTERSIGN_URL and ORIGIN want a running sandbox; the Go test TestTheJavaScriptSDK starts one');

const server = new Countersign({ url, key: 'sk_sandbox_demo' });

/** A browser sends the header Origin by itself; here it is written. */
const asPage: typeof fetch = (input, init = {}) => fetch(input, { ...init, headers: { ...init.headers as Record<string, string>, Origin: origin } });
const page = new CountersignBrowser({ url, key: 'pk_sandbox_demo', fetch: asPage, devices: null });

const sandbox = new Sandbox({ url });

/** The newest code; notices have none. */
const codeOf = async (to: string): Promise<string> => (await sandbox.inbox(to)).find((m) => m.code)!.code;

/** Proves a number to a server. */
async function prove(request: Parameters<typeof server.start>[0]): Promise<string> {
  await sandbox.forgetLimits();
  const v = await server.start(request);
  return (await server.check(v.id, { code: await codeOf(v.to) })).proof;
}

/** What an authenticator app shows (RFC 6238). */
function shown(secret: string, at: Date): string {
  const bits = [...secret].map((c) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(c).toString(2).padStart(5, '0')).join('');
  const key = Buffer.from(bits.match(/.{8}/g)!.map((byte) => parseInt(byte, 2)));
  const step = Buffer.alloc(8);
  step.writeBigUInt64BE(BigInt(Math.floor(at.getTime() / 30_000)));
  const sum = createHmac('sha1', key).update(step).digest();
  return String((sum.readUInt32BE(sum[19]! & 15) & 0x7fffffff) % 1_000_000).padStart(6, '0');
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

test('a person: app, paper, step-up, devices, number', async () => {
  const [to, other] = ['+14155550161', '+14155550162'];
  const s = await server.redeem({ proof: await prove({ to }) });
  const elsewhere = await server.redeem({ proof: await prove({ to }) });
  const begun = await server.as(s.access_token).addTOTP('My phone');
  expect(begun).toMatchObject({ id: expect.stringMatching(/^fac_/), qr: expect.stringContaining('<svg') });
  const fresh = async () => shown(begun.secret, await sandbox.advance('61s'));
  await expect(server.as(s.access_token).confirmFactor(begun.id, wrong(await fresh()))).rejects.toMatchObject({ code: 'incorrect_code' });
  const renewed = await server.as(s.access_token).confirmFactor(begun.id, await fresh());
  expect(renewed.factor).toMatchObject({ type: 'totp', name: 'My phone' });
  await expect(server.me(s.access_token)).rejects.toMatchObject({ code: 'session_revoked' });

  let p = server.as(renewed.access_token);
  const { codes, access_token } = await p.newRecoveryCodes();
  expect(codes).toHaveLength(10);
  await expect(p.me()).rejects.toMatchObject({ code: 'session_revoked' });
  p = server.as(access_token);
  expect(await p.factors()).toMatchObject([{ type: 'totp' }, { type: 'recovery_codes', remaining: 10 }]);
  await expect(server.as(elsewhere.access_token).removeFactor(begun.id)).rejects.toMatchObject({ code: 'step_up_required' });
  await expect(p.addPasskey({ ceremony: 'cer_x', credential: {} })).rejects.toMatchObject({ code: 'ceremony_over' });
  expect((await p.newPasskey()).public_key).toMatchObject({ rp: { id: 'localhost' }, challenge: expect.any(String) });
  expect((await server.askPasskey({ ip: '203.0.113.7' })).public_key).toMatchObject({ rpId: 'localhost' });
  await expect(p.askPasskey()).rejects.toMatchObject({ code: 'not_found' }); // they have none
  p = server.as((await p.stepUp({ recovery_code: codes[0]! })).access_token);
  expect((await p.me()).session).toMatchObject({ acr: 'urn:countersign:aal2', current: true });

  await sandbox.forgetLimits();
  const coming = await sandbox.messages(to);
  const v = await p.start();
  expect(v).toMatchObject({ to, purpose: 'stepup' });
  let code = '';
  for await (const m of coming) if ((code = m.code)) break; // notices have none
  const { proof } = await p.check(v.id, code);
  p = server.as((await p.stepUp({ proof })).access_token);
  expect(await p.devices()).toHaveLength(2);
  await p.endOtherDevices();
  expect(await p.devices()).toHaveLength(1);
  const changed = await p.changeNumber({ proof: await prove({ to: other, purpose: 'stepup' }) });
  expect(changed.user).toMatchObject({ phone_number: other });
  p = server.as((await server.as(changed.access_token).removeFactor(begun.id)).access_token);
  await server.resetFactors(s.user.id);
  await expect(p.factors()).rejects.toMatchObject({ code: 'session_revoked' });
});

test('a page of the own site: a session in cookies', async () => {
  const jar = new Map<string, string>();
  const own: typeof fetch = async (input, init = {}) => {
    const mayHaveCookies = init.credentials === 'same-origin'; // as a browser does for its own site
    const cookie = mayHaveCookies ? [...jar].map(([name, value]) => `${name}=${value}`).join('; ') : '';
    const response = await fetch(input, { ...init, headers: { ...init.headers as Record<string, string>, Origin: url, ...(cookie ? { Cookie: cookie } : {}) } });
    for (const line of mayHaveCookies ? response.headers.getSetCookie() : []) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line)!;
      jar.set(name!, value!);
    }
    return response;
  };
  const c = new CountersignBrowser({ url, key: 'pk_sandbox_demo', fetch: own, devices: null });
  const proof = await prove({ to: '+14155550163', nonce: 'n-4' });
  const s = await c.redeem({ proof, nonce: 'n-4', cookie: true });
  expect(s).toMatchObject({ token_type: 'Cookie' });
  expect(s).not.toHaveProperty('access_token');
  expect([...jar.keys()].sort()).toEqual(['__Host-refresh', '__Host-session']);
  expect((await c.as().me()).id).toBe(s.user.id);
  const before = jar.get('__Host-session');
  const refreshed = await c.as().refresh();
  expect(refreshed).toMatchObject({ token_type: 'Cookie' });
  // @ts-expect-error by cookie there are no tokens for a script
  expect(refreshed.access_token).toBeUndefined();
  expect(jar.get('__Host-session')).not.toBe(before);
  expect(await c.as().devices()).toMatchObject([{ kind: 'cookie' }]);
  const kept = new Map(jar);
  await c.as().endSession();
  for (const [name, value] of kept) jar.set(name, value);
  await expect(c.as().me()).rejects.toMatchObject({ code: 'session_revoked' });
});

test('operations, and the sandbox', async () => {
  const to = '+14155550164';
  await server.healthy();
  await server.ready();
  expect((await server.keys()).keys[0]).toMatchObject({ alg: 'ES256' });
  expect(await server.routes()).toMatchObject({ rules: expect.any(Array), routes: expect.arrayContaining([expect.objectContaining({ breaker: 'closed' })]) });
  expect(await server.explain({ to })).toMatchObject({ decision: 'allow', rules: expect.any(Array) });
  expect(await server.blocks()).toEqual([]);
  await expect(server.liftBlock('blk_none')).rejects.toMatchObject({ code: 'not_found' });

  expect(await sandbox.setCarrier({ fate: 'undelivered', to, times: 1 })).toMatchObject([{ fate: 'undelivered' }]);
  await sandbox.clearCarrier();
  expect(await sandbox.carrier()).toEqual([]);
  const messages = await sandbox.messages(to);
  const v = await server.start({ to });
  for await (const m of messages) {
    expect(m).toMatchObject({ to, code: await codeOf(to) });
    break;
  }
  expect((await sandbox.advance('10m')).getTime()).toBeGreaterThan(Date.parse(v.expires_at));
  expect((await server.get(v.id)).status).toBe('expired');
});

test('a page of another origin', async () => {
  const foreign = new CountersignBrowser({ url, key: 'pk_sandbox_demo', devices: null, fetch: (i, init = {}) => fetch(i, { ...init, headers: { ...init.headers as Record<string, string>, Origin: 'https://evil.example' } }) });
  const error = await foreign.start({ to: '+14155550156' }).catch((e: unknown) => e);
  expect(Problem.is(error, 'forbidden')).toBe(true);
});
