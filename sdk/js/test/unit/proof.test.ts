import { createHash, createHmac, generateKeyPairSync, sign as signWith, type KeyObject } from 'node:crypto';
import { describe, expect, test, vi } from 'vitest';
import { Problem, ProofRefused, ProofVerifier, memoryOnce, transactionHash, type ProofWant } from '../../src/server.js';
import { answer } from './kit.js';

const now = Date.parse('2026-01-31T12:00:00Z');
const issuer = 'https://verify.example.com';

function newKey(kid: string) {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { kid, privateKey, jwk: { ...publicKey.export({ format: 'jwk' }), kid, use: 'sig', alg: 'ES256' } as JsonWebKey & { kid: string } };
}

const b64 = (v: object | string) => Buffer.from(typeof v === 'string' ? v : JSON.stringify(v)).toString('base64url');

function token(header: object, claims: object, key: KeyObject): string {
  const signed = `${b64(header)}.${b64(claims)}`;
  return `${signed}.${signWith('sha256', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
}

const ours = newKey('k1');
const stranger = newKey('k2');
const header = { alg: 'ES256', typ: 'proof+jwt', kid: 'k1' };
const claims = {
  iss: issuer, aud: 'shop', sub: 'ver_1', jti: 'j1', iat: now / 1000, exp: now / 1000 + 600, nonce: 'n', phone_number: '+14155550123', purpose: 'login', amr: ['otp', 'sms'],
};
const want: ProofWant = { purpose: 'login', nonce: 'n' };
const newVerifier = (more = {}) => new ProofVerifier({ issuer, app: 'shop', keys: { keys: [ours.jwk] }, now: () => now, ...more });

test('an honest proof', async () => {
  const c = await newVerifier().verify(token(header, claims, ours.privateKey), want);
  expect(c).toMatchObject({ phone_number: '+14155550123', jti: 'j1', sub: 'ver_1' });
});

describe('claims that are not wanted', () => {
  test.each<[string, object, object?]>([
    ['another instance', { iss: `${issuer}/` }], ['another app', { aud: 'other' }], ['several apps', { aud: ['shop'] }], ['too late', { exp: now / 1000 - 60 }],
    ['without an end', { exp: undefined }], ['an end that is a text', { exp: `${now / 1000 + 600}` }], ['from the future', { iat: now / 1000 + 120 }],
    ['another purpose', { purpose: 'signup' }], ['no purpose', { purpose: undefined }, { purpose: undefined }], ["another's nonce", { nonce: 'N' }],
    ['a nonce was left out', { nonce: undefined }], ['a nonce was not wanted', {}, { nonce: undefined }], ['a test number', { test: true }],
    ['nobody', { phone_number: undefined }], ['two', { email: 'a@example.com' }], ['no id', { jti: '' }], ['a transaction in a login', { txn: 'x' }],
    ['a payment without its transaction', { purpose: 'transaction' }, { purpose: 'transaction' }], ['a nonce that is no text', { nonce: ['n'] }],
  ])('%s', async (_, change, other = {}) => {
    await expect(newVerifier().verify(token(header, { ...claims, ...change }, ours.privateKey), { ...want, ...other })).rejects.toThrow(ProofRefused);
  });
});

describe('forged tokens', () => {
  const good = token(header, claims, ours.privateKey);
  const [h, c, s] = good.split('.') as [string, string, string];
  const spki = JSON.stringify(ours.jwk);
  const hs = `${b64({ ...header, alg: 'HS256' })}.${c}`;
  test.each<[string, string]>([
    ['nothing', ''], ['no token', 'a.b.c'], ['two parts', `${h}.${c}`], ['no signature', `${h}.${c}.`], ['four parts', `${good}.x`],
    ['changed claims', `${h}.${b64({ ...claims, phone_number: '+14155550124' })}.${s}`], ['alg none', `${b64({ ...header, alg: 'none' })}.${c}.`],
    ['the public key as secret', `${hs}.${createHmac('sha256', spki).update(hs).digest('base64url')}`],
    ["another's key, our kid", token(header, claims, stranger.privateKey)],
    ['a key in the header', token({ ...header, jwk: stranger.jwk }, claims, stranger.privateKey)],
    ['an unknown key', token({ ...header, kid: 'k2' }, claims, stranger.privateKey)],
    ['an access token', token({ ...header, typ: 'at+jwt' }, claims, ours.privateKey)],
    ['no type', token({ ...header, typ: undefined }, claims, ours.privateKey)],
    ['an extension', token({ ...header, crit: ['x'], x: 1 }, claims, ours.privateKey)],
    ['a signature of zeros', `${h}.${c}.${Buffer.alloc(64).toString('base64url')}`],
    ['padding', `${good}==`], ['white space', ` ${good}`], ['another writing of the same', `${h}.${c}.${s.slice(0, -1)}${String.fromCharCode(s.charCodeAt(s.length - 1) + 1)}`],
    ['claims that are a list', token(header, [claims], ours.privateKey)], ['very long', 'a'.repeat(20_000)],
  ])('%s', async (_, text) => {
    await expect(newVerifier().verify(text, want)).rejects.toThrow(ProofRefused);
  });

  // The control: a verifier that only decodes takes all that parse.
  test('a verifier that only decodes would take them', () => {
    const naive = JSON.parse(Buffer.from(`${h}.${c}.`.split('.')[1]!, 'base64url').toString()) as { purpose: string };
    expect(naive.purpose).toBe('login');
  });
});

test('a transaction is the one that is carried out', async () => {
  const shown = { payee: 'ACME "AB" \\ \n Å😀', amount: '49.90', currency: 'EUR' };
  const canonical = '{"amount":"49.90","currency":"EUR","payee":"ACME \\"AB\\" \\\\ \\n Å😀"}';
  const txn = createHash('sha256').update(canonical).digest('base64url');
  expect(await transactionHash(shown)).toBe(txn);
  const proof = token(header, { ...claims, purpose: 'transaction', txn }, ours.privateKey);
  const v = newVerifier();
  await v.verify(proof, { purpose: 'transaction', nonce: 'n', transaction: shown });
  for (const other of [{ ...shown, amount: '499.0' }, { ...shown, amount: '49.9' }, { ...shown, payee: 'ACME' }, { ...shown, currency: 'USD' }]) {
    await expect(v.verify(proof, { purpose: 'transaction', nonce: 'n', transaction: other })).rejects.toThrow(/another transaction/);
  }
  await expect(transactionHash({ ...shown, payee: '\ud800' })).rejects.toThrow(TypeError);
});

test('each proof is used once, by one of many', async () => {
  const v = newVerifier({ once: memoryOnce(() => now) });
  const proof = token(header, claims, ours.privateKey);
  const all = await Promise.allSettled(Array.from({ length: 50 }, () => v.verify(proof, want)));
  expect(all.filter((r) => r.status === 'fulfilled')).toHaveLength(1);
});

test('keys are fetched when needed, and strangers cannot make us ask', async () => {
  let keys = [ours.jwk];
  let asked = 0;
  let away = false;
  let at = now;
  const v = new ProofVerifier({
    issuer, app: 'shop', now: () => at,
    fetch: async () => {
      asked++;
      if (away) throw new TypeError('fetch failed');
      return answer({ keys });
    },
  });
  const verify = async (key = ours) => {
    const shift = (at - now) / 1000;
    return v.verify(token({ ...header, kid: key.kid }, { ...claims, iat: claims.iat + shift, exp: claims.exp + shift }, key.privateKey), want);
  };
  await Promise.all([verify(), verify(), verify()]);
  expect(asked).toBe(1);
  for (let i = 0; i < 5; i++) await expect(verify(stranger)).rejects.toThrow(ProofRefused);
  expect(asked).toBe(1);
  at += 11_000;
  keys = [stranger.jwk];
  await verify(stranger);
  expect(asked).toBe(2);
  away = true;
  at += 30 * 60_000;
  await verify(stranger);
  expect(asked).toBe(3);
  at += 31 * 60_000;
  await expect(verify(stranger)).rejects.not.toThrow(ProofRefused);
  away = false;
  at += 11_000;
  await verify(stranger);
});

// Next.js compiles a module once for its pages and again for its actions, and both meet in what is kept for the process.
test('a refusal is one whichever copy of the module made it', async () => {
  vi.resetModules();
  const copy = await import('../../src/server.js');
  expect(copy.ProofRefused).not.toBe(ProofRefused);
  const error: unknown = await new copy.ProofVerifier({ issuer, app: 'shop', keys: { keys: [] } }).verify('x', want).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(ProofRefused);
  expect(new copy.Problem('internal')).toBeInstanceOf(Problem);
  expect(new Error('x')).not.toBeInstanceOf(ProofRefused);
  expect(null).not.toBeInstanceOf(Problem);
});
