import { afterEach, expect, test, vi } from 'vitest';
import { makePasskey, passkeysWork, showPasskey } from '../../src/browser.js';
import { answer, browser, play, problem } from './kit.js';

const session = { user: { id: 'usr_1' }, access_token: 'new', token_type: 'Bearer', expires_in: 900, refresh_token: 'rft_1' };
const options = () => answer({ ceremony: 'cer_1', public_key: { challenge: 'AA' } });

/** A browser that knows passkeys, and what it was asked. */
function device(respond: () => unknown = () => ({ toJSON: () => ({ id: 'AA' }) })) {
  const get = vi.fn(async (_: unknown) => respond());
  const create = vi.fn(async (_: unknown) => respond());
  vi.stubGlobal('PublicKeyCredential', Object.assign(() => {}, {
    parseRequestOptionsFromJSON: (json: unknown) => ({ request: json }), parseCreationOptionsFromJSON: (json: unknown) => ({ creation: json }),
  }));
  vi.stubGlobal('navigator', { credentials: { get, create } });
  return { get, create };
}

afterEach(() => vi.unstubAllGlobals());

test('a login: options, the device, the session', async () => {
  const { get } = device();
  const { fetch, asked } = play(options(), answer(session, 201));
  expect(await browser(fetch).loginWithPasskey()).toEqual(session);
  expect(asked.map((a) => [a.path, a.body])).toEqual([['/v1/passkeys/options', {}], ['/v1/sessions', { passkey: { ceremony: 'cer_1', credential: { id: 'AA' } } }]]);
  expect(get).toHaveBeenCalledWith({ publicKey: { request: { challenge: 'AA' } } });
});

test('a login from the autofill can be left', async () => {
  const stop = new AbortController();
  const { get } = device(() => { throw stop.signal.reason; });
  const { fetch } = play(options());
  stop.abort(new Error('gone'));
  await expect(browser((...a) => fetch(a[0], { ...a[1], signal: null })).loginWithPasskey({ autofill: true, signal: stop.signal })).rejects.toMatchObject({ message: 'gone' });
  expect(get.mock.calls.every(([asked]) => (asked as { mediation: string }).mediation === 'conditional')).toBe(true);
});

test('a new passkey goes by the access token', async () => {
  const { create } = device();
  const heard: (string | null)[] = [];
  const { fetch, asked } = play(options(), answer({ ...session, factor: { id: 'fac_1' } }, 201));
  const c = browser((input, init) => { heard.push(new Headers(init?.headers).get('authorization')); return fetch(input, init); });
  expect(await c.createPasskey('token', { name: 'Laptop' })).toMatchObject({ access_token: 'new', factor: { id: 'fac_1' } });
  expect(asked.map((a) => [a.path, a.body])).toEqual([
    ['/v1/me/factors/passkeys/options', {}], ['/v1/me/factors/passkeys', { ceremony: 'cer_1', credential: { id: 'AA' }, name: 'Laptop' }],
  ]);
  expect(heard).toEqual(['Bearer token', 'Bearer token']);
  expect(create).toHaveBeenCalledWith({ publicKey: { creation: { challenge: 'AA' } } });
});

test('a step-up', async () => {
  device();
  const { fetch, asked } = play(options(), answer(session));
  await browser(fetch).stepUpWithPasskey('token');
  expect(asked.map((a) => a.path)).toEqual(['/v1/sessions/step-up/options', '/v1/sessions/step-up']);
});

test('where the server holds the session, the page asks the device alone', async () => {
  const { get, create } = device();
  const ceremony = { ceremony: 'cer_1', public_key: { challenge: 'AA' } } as unknown as Parameters<typeof makePasskey>[0];
  const answered = { ceremony: 'cer_1', credential: { id: 'AA' } };
  expect(await makePasskey(ceremony)).toEqual(answered);
  expect(create).toHaveBeenCalledWith({ publicKey: { creation: { challenge: 'AA' } } });
  expect(await showPasskey(ceremony)).toEqual(answered);
  expect(get).toHaveBeenCalledWith({ publicKey: { request: { challenge: 'AA' } } });
  vi.unstubAllGlobals();
  await expect(makePasskey(ceremony)).rejects.toMatchObject({ code: 'passkey_not_used' });
  await expect(showPasskey(ceremony)).rejects.toMatchObject({ code: 'passkey_not_used' });
});

test('what goes wrong is a Problem', async () => {
  device(() => { throw new DOMException('no', 'NotAllowedError'); });
  await expect(browser(play(options()).fetch).loginWithPasskey()).rejects.toMatchObject({ code: 'passkey_not_used', detail: expect.stringContaining('did not go on') });
  device(() => { throw new DOMException('there', 'InvalidStateError'); });
  await expect(browser(play(options()).fetch).createPasskey('token')).rejects.toMatchObject({ code: 'passkey_not_used', detail: expect.stringContaining('already') });
  device(() => null);
  await expect(browser(play(options()).fetch).loginWithPasskey()).rejects.toMatchObject({ code: 'passkey_not_used' });
  device();
  await expect(browser(play(options(), problem(422, 'passkey_unknown')).fetch).loginWithPasskey()).rejects.toMatchObject({ code: 'passkey_unknown' });
  vi.unstubAllGlobals();
  expect(passkeysWork()).toBe(false);
  await expect(browser(play().fetch).loginWithPasskey()).rejects.toMatchObject({ code: 'passkey_not_used' });
});
