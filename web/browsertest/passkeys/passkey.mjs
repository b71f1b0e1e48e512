// Passkeys in Chromium, with its virtual authenticator: the hosted page as the login of an OpenID Connect client, and the
// SDK on a page. The server under test goes by localhost, because a passkey needs a domain.

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { authenticator } from '../browser.mjs';
import { base, codeOf, example, forget, judgeBoth, newNumber, open } from '../sandbox.mjs';

const callback = `${example}/callback`;
const aal2 = 'urn:countersign:aal2';

/**
 * Opens a browser with an authenticator in it, and catches what goes back to the client.
 * @param {import('node:test').TestContext} t
 * @param {import('playwright-core').BrowserContextOptions & { without?: boolean }} [options]
 */
async function person(t, { without, ...options } = {}) {
  const page = await open(t, options);
  const { cdp, id, autofill } = await authenticator(page, { without });
  await page.route((url) => url.href.startsWith(callback), (route) => route.fulfill({ contentType: 'text/html', body: '<!doctype html><title>The app</title><p id="app">Welcome back.' }));
  return { page, cdp, id, autofill };
}

/**
 * Begins a login as the client demo.
 * @param {import('playwright-core').Page} page
 * @param {Record<string, string>} [more]
 */
async function authorize(page, more = {}) {
  const verifier = randomBytes(32).toString('base64url');
  const query = new URLSearchParams({
    client_id: 'demo', response_type: 'code', scope: 'openid phone', redirect_uri: callback, state: 's', nonce: 'n',
    code_challenge: createHash('sha256').update(verifier).digest('base64url'), code_challenge_method: 'S256', ...more,
  });
  await page.goto(`${base}/oauth2/authorize?${query}`);
  return verifier;
}

/**
 * Trades the code that came back for the claims of the id token.
 * @param {import('playwright-core').Page} page
 * @param {string} verifier
 */
async function finish(page, verifier) {
  await page.locator('#app').waitFor();
  const code = new URL(page.url()).searchParams.get('code') ?? '';
  const answer = await fetch(`${base}/oauth2/token`, {
    method: 'POST', headers: { Authorization: `Basic ${btoa('demo:sandboxdemo')}` },
    body: new URLSearchParams({ grant_type: 'authorization_code', code, redirect_uri: callback, code_verifier: verifier }),
  });
  assert.equal(answer.status, 200, await answer.clone().text());
  return JSON.parse(Buffer.from((await answer.json()).id_token.split('.')[1], 'base64url').toString());
}

/** @param {import('playwright-core').Page} page */
async function provePhone(page, number = newNumber()) {
  await forget();
  await page.locator('#phone').fill(number);
  await page.locator('form[method=post] .go').first().click();
  await page.locator('#code').waitFor(); // the newest message is this form's, from now on
  await page.locator('#code').fill(await codeOf(number));
  return number;
}

const offer = (/** @type {import('playwright-core').Page} */ page) => page.locator('form[data-create] button');
const button = (/** @type {import('playwright-core').Page} */ page) => page.locator('form[data-passkey]:not([data-create]) button');

test('a passkey is offered after a login by phone, and is the next login: by the button, and by the autofill', async (t) => {
  const { page, cdp, id, autofill } = await person(t);
  let verifier = await authorize(page);
  await button(page).waitFor();
  await judgeBoth(page, 'phone form with a passkey');
  const number = await provePhone(page);
  await offer(page).click();
  const first = await finish(page, verifier);
  assert.equal(first.acr, aal2);
  assert.equal(first.phone_number, number);
  const { credentials } = await cdp.send('WebAuthn.getCredentials', { authenticatorId: id });
  assert.deepEqual(credentials.map((c) => [c.rpId, c.isResidentCredential]), [['localhost', true]]);
  assert.ok(!Buffer.from(credentials[0].userHandle ?? '', 'base64').includes(first.sub), 'the handle says nothing');

  for (autofill.works of [false, true]) {
    await page.context().clearCookies();
    verifier = await authorize(page, { acr_values: aal2 });
    if (!autofill.works) await button(page).click();
    const { sub, acr, amr } = await finish(page, verifier);
    assert.deepEqual([sub, acr, amr], [first.sub, aal2, ['hwk', 'user', 'mfa']]);
  }
  autofill.works = false;

  // A copy whose counter is behind leads back to the phone form, and the phone is still a way in. Whoever has a passkey is
  // not asked to make one.
  await page.context().clearCookies();
  const [mine] = (await cdp.send('WebAuthn.getCredentials', { authenticatorId: id })).credentials;
  await cdp.send('WebAuthn.clearCredentials', { authenticatorId: id });
  await cdp.send('WebAuthn.addCredential', { authenticatorId: id, credential: { ...mine, signCount: 0 } });
  verifier = await authorize(page);
  await button(page).click();
  await page.locator('[data-problem=passkey_refused]').waitFor();
  await provePhone(page, number);
  const { sub, acr } = await finish(page, verifier);
  assert.deepEqual([sub, acr], [first.sub, 'urn:countersign:aal1']);

  // Where a passkey is all that there is, and wanted, a page asks for it alone.
  await page.context().clearCookies();
  await authorize(page, { acr_values: aal2, ui_locales: 'ar' });
  await provePhone(page, number);
  await page.locator('a.go').waitFor();
  assert.equal(await page.locator('input:not([type=hidden])').count(), 0);
  await judgeBoth(page, 'a passkey and nothing else');
});

test('"not now" goes on, and is remembered; a dialog that is closed leaves the page as it was', async (t) => {
  const { page, cdp, id } = await person(t, { locale: 'ar' });
  let verifier = await authorize(page);
  await cdp.send('WebAuthn.setUserVerified', { authenticatorId: id, isUserVerified: false });
  await button(page).click();
  await page.locator('form[data-passkey] [role=status]:not(:empty)').waitFor();
  assert.equal(await page.evaluate(() => document.activeElement?.id), 'phone');
  const number = await provePhone(page);
  await offer(page).click();
  await page.locator('form[data-create] [role=status]:not(:empty)').waitFor();
  assert.equal(await page.locator('html').getAttribute('lang'), 'ar');
  await judgeBoth(page, 'the offer after a dialog that was closed');
  await page.locator('form[data-later] button').click();
  assert.equal((await finish(page, verifier)).acr, 'urn:countersign:aal1');
  verifier = await authorize(page, { prompt: 'login' });
  await provePhone(page, number);
  await finish(page, verifier);
  assert.equal((await cdp.send('WebAuthn.getCredentials', { authenticatorId: id })).credentials.length, 0);
});

test('the page is at most 30 KiB; where nothing can make a passkey nobody is asked', async (t) => {
  const { page, cdp } = await person(t, { without: true });
  await cdp.send('Network.enable');
  await cdp.send('Network.setCacheDisabled', { cacheDisabled: true });
  let bytes = 0;
  cdp.on('Network.loadingFinished', (e) => { bytes += e.encodedDataLength; });
  const verifier = await authorize(page, { ui_locales: 'hi' });
  await button(page).waitFor();
  await page.waitForLoadState('networkidle');
  t.diagnostic(`phone form with a passkey, hi: ${bytes} bytes`);
  assert.ok(bytes > 5000 && bytes <= 30 * 1024, `${bytes} bytes`);
  await provePhone(page);
  await finish(page, verifier);
});

test('without script there are no passkeys', async (t) => {
  const page = await open(t, { javaScriptEnabled: false });
  await authorize(page);
  await page.locator('#phone').waitFor();
  assert.equal(await button(page).isVisible(), false);
});

test('the SDK makes a passkey, logs in by it and steps up; an answer is good once, and only from here', async (t) => {
  const { page, cdp, id } = await person(t);
  // The compiled SDK, as the app would serve it; on the server's own origin, which its policy allows.
  await page.route(`${base}/sdk/*`, async (route) => route.fulfill({
    contentType: 'text/javascript', body: await readFile(new URL(`../../../sdk/js/dist/${new URL(route.request().url()).pathname.slice(5)}`, import.meta.url)),
  }));
  await forget();
  const number = newNumber();
  await page.goto(`${base}/docs`);
  const seen = await page.evaluate(async ({ url, to }) => {
    const { CountersignBrowser } = await import(/** @type {any} */ ('/sdk/browser.js'));
    const client = new CountersignBrowser({ url, key: 'pk_sandbox_demo' });
    const v = await client.start({ to });
    const inbox = async () => (await (await fetch(`/dev/inbox.json?to=${encodeURIComponent(to)}`)).json()).messages[0]?.code;
    let code;
    while (!(code = await inbox())) await new Promise(requestAnimationFrame);
    const { proof } = await client.check(v, code);
    const post = async (/** @type {string} */ path, /** @type {object} */ body) => {
      const answer = await fetch(path, { method: 'POST', headers: { Authorization: 'Bearer pk_sandbox_demo', 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
      return { status: answer.status, ...await answer.json() };
    };
    const phone = await post('/v1/sessions', { proof });
    const made = await client.createPasskey(phone.access_token, { name: 'Laptop' });
    const again = await client.createPasskey(made.access_token).catch((/** @type {any} */ e) => e);
    const login = await client.loginWithPasskey();
    const stepped = await client.stepUpWithPasskey(login.access_token);
    const dead = await client.stepUpWithPasskey(login.access_token).catch((/** @type {any} */ e) => e);
    // By hand, so that the answer can be sent again.
    const { ceremony, public_key: json } = await post('/v1/passkeys/options', {});
    const got = /** @type {any} */ (await navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(json) }));
    const passkey = { ceremony, credential: got.toJSON() };
    return {
      user: phone.user.id, made: [made.user.id, made.factor.type, made.factor.name], again: again.code, login: login.user.id, stepped: stepped.user.id, dead: dead.code,
      once: await post('/v1/sessions', { passkey }), twice: await post('/v1/sessions', { passkey }),
    };
  }, { url: base, to: number });
  assert.deepEqual(seen.made, [seen.user, 'passkey', 'Laptop']);
  assert.equal(seen.again, 'passkey_not_used', 'the device has one already');
  assert.equal(seen.login, seen.user);
  assert.equal(seen.stepped, seen.user);
  assert.equal(seen.dead, 'session_revoked');
  assert.deepEqual([seen.once.status, seen.twice.status, seen.twice.code], [201, 410, 'ceremony_over']);

  // The same server by its number: another origin. The browser refuses to use the passkey there, and the server refuses
  // what an attacker's own browser would say.
  const foreign = base.replace('localhost', '127.0.0.1');
  const there = await page.context().newPage();
  await there.goto(`${foreign}/docs`);
  const refused = await there.evaluate(async (rpId) => navigator.credentials.get({ publicKey: { challenge: new Uint8Array(32), rpId } }).then(() => 'taken', (e) => e.name), 'localhost');
  assert.equal(refused, 'SecurityError');
  const { credentials } = await cdp.send('WebAuthn.getCredentials', { authenticatorId: id });
  assert.equal(credentials.length, 1);
});
