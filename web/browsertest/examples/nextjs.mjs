// examples/nextjs: sign-up, login, the protected page and the payment, on an origin of its own.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { authenticator } from '../browser.mjs';
import { base, codeOf, example, forget, inbox, judge, newNumber, open, totp, wrong } from '../sandbox.mjs';
import { ask, formTests, send } from './forms.mjs';

/** @typedef {import('playwright-core').Page} Page */

/** @param {Page} page @param {string} what */
async function judgeWhole(page, what) {
  // The server streams the title after the page, and the router changes it after the text: a page is judged once it is whole.
  await page.waitForFunction(() => document.title !== '' && !document.querySelector('[aria-busy=true]') && document.getAnimations().every((a) => a.playState !== 'running'));
  await judge(page, what);
}

/**
 * Goes to a page with a form, which is good for nothing before its script has taken it over.
 * @param {Page} page
 * @param {string} path
 */
async function visit(page, path = '/signup') {
  await page.goto(example + path);
  await page.waitForFunction(() => Object.keys(document.querySelector('.countersign') ?? {}).some((key) => key.startsWith('__react')));
}

/** Sends a code to a number, from one of the pages. @param {Page} page */
async function start(page, path = '/signup', number = newNumber()) {
  await visit(page, path);
  return send(page, number);
}

/** @param {Page} page */
async function signUp(page) {
  const { number, code } = await start(page);
  await page.getByLabel('Code').fill(code);
  await page.getByText(`Signed in as ${number}`).waitFor();
  return number;
}

/** Opens the page for factors, which takes the number once more. @param {Page} page @param {string} number */
async function unlock(page, number) {
  const { code } = await start(page, '/security', number);
  await page.getByLabel('Code').fill(code);
  await page.getByRole('button', { name: 'Add an authenticator app' }).waitFor();
}

test('sign-up, sign-out, the protected page, login', async (t) => {
  const page = await open(t);
  await page.goto(`${example}/account`);
  await page.waitForURL(`${example}/login`);
  await visit(page);
  await judgeWhole(page, 'phone form');
  await ask(page, '12');
  await page.getByText('That phone number is not valid').waitFor();
  await judgeWhole(page, 'phone form with a problem');
  const { number, code } = await send(page, newNumber());
  await judgeWhole(page, 'code form');
  await page.getByLabel('Code').fill(wrong(code));
  await page.getByText('Attempts left: 4').waitFor();
  await judgeWhole(page, 'code form with a problem');
  await page.getByLabel('Code').fill(code);
  await page.getByText(`Signed in as ${number}`).waitFor();
  await judgeWhole(page, 'account');
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.waitForURL(`${example}/`);
  await page.goto(`${example}/account`);
  await page.waitForURL(`${example}/login`);
  const again = await start(page, '/login', number);
  await page.getByLabel('Code').fill(again.code);
  await page.getByText(`Signed in as ${number}`).waitFor();
});

/** Goes from the statement to the hosted page, to show a second factor there. @param {Page} page */
async function askForStatement(page) {
  await page.goto(`${example}/statement`);
  await page.getByRole('link', { name: 'Show your second factor' }).click();
  await page.waitForURL((url) => url.origin === base || url.pathname === '/login');
}

test('a second factor: refused without, added, asked for, and not had by a phone alone', async (t) => {
  const page = await open(t);
  const number = await signUp(page);
  await page.goto(`${example}/statement`);
  await page.getByText('Your second factor, please').waitFor();
  await judgeWhole(page, 'a page of the second level');
  await askForStatement(page);
  await forget();
  await page.locator('#phone').fill(number);
  await page.locator('form[method=post] .go').first().click();
  await page.locator('#code').waitFor();
  await page.locator('#code').fill(await codeOf(number, 1));
  await page.getByText('no second factor was shown').waitFor();
  await judgeWhole(page, 'a login that came to nothing');

  await unlock(page, number);
  await page.getByRole('button', { name: 'Add an authenticator app' }).click();
  const field = page.getByLabel('Code that the app shows');
  await field.waitFor();
  await judgeWhole(page, 'the secret');
  const secret = await page.locator('main p code').innerText();
  const now = Math.floor(Date.now() / 30_000);
  await field.fill(wrong(totp(secret, now)));
  await page.getByRole('button', { name: 'Confirm' }).click();
  await page.getByText('That code is not right').waitFor();
  await judgeWhole(page, 'the secret, with a problem');
  // The half minute may be over by now; a code is good a little longer.
  const shown = Math.floor(Date.now() / 30_000);
  await field.fill(totp(secret, shown));
  await page.getByRole('button', { name: 'Confirm' }).click();
  await page.getByText('The authenticator app is added.').waitFor();
  await page.getByRole('button', { name: 'New recovery codes' }).click();
  await page.getByText('I have written them down').waitFor();
  const paper = await page.locator('.codes li').allInnerTexts();
  assert.equal(new Set(paper).size, 10);
  await judgeWhole(page, 'codes for paper');
  await page.getByRole('button', { name: 'I have written them down' }).click();
  await page.getByText('10 left').waitFor();

  await askForStatement(page);
  await page.locator('#factor').fill(totp(secret, Math.max(shown + 1, Math.floor(Date.now() / 30_000)))); // each is good once
  await page.locator('#factor').press('Enter');
  await page.waitForURL(`${example}/statement`);
  await page.getByText(`Shown to ${number}, with a second factor.`).waitFor();
  await judgeWhole(page, 'the statement');

  // A login by the phone alone neither opens the statement nor takes the app off. A code from paper does.
  await page.context().clearCookies();
  const again = await start(page, '/login', number);
  await page.getByLabel('Code').fill(again.code);
  await page.getByText(`Signed in as ${number}`).waitFor();
  await page.goto(`${example}/statement`);
  await page.getByText('Your second factor, please').waitFor();
  await unlock(page, number);
  await remove(page, 'Authenticator app');
  await page.getByRole('heading', { name: 'Show a factor first' }).waitFor();
  await page.getByLabel('Code from your app or from paper').fill('aaaa-bbbb-cccc-dddd');
  await page.getByRole('button', { name: 'Confirm' }).click();
  await page.locator('.problem').waitFor();
  await judgeWhole(page, 'a step-up, with a problem');
  await page.getByLabel('Code from your app or from paper').fill(paper[0] ?? '');
  await page.getByRole('button', { name: 'Confirm' }).click();
  await page.getByText('It is removed.').waitFor();
  await page.getByRole('button', { name: 'Remove Authenticator app' }).waitFor({ state: 'detached' });
});

/** @param {Page} page @param {string} factor */
async function remove(page, factor) {
  await page.getByRole('button', { name: `Remove ${factor}` }).click();
  await page.getByRole('button', { name: 'Yes, remove' }).click();
}

test("a passkey: made on the shop's page, shown on the hosted page and before a change, and removed", async (t) => {
  const page = await open(t, { colorScheme: 'dark' });
  const { cdp, id } = await authenticator(page);
  const number = await signUp(page);
  await unlock(page, number);
  await judgeWhole(page, 'no factor yet');
  await page.getByRole('button', { name: 'Add a passkey' }).click();
  await page.getByText('The passkey is added.').waitFor();
  const { credentials } = await cdp.send('WebAuthn.getCredentials', { authenticatorId: id });
  assert.deepEqual(credentials.map((c) => c.rpId), ['localhost']);
  await page.getByRole('button', { name: 'Add a passkey' }).click();
  await page.getByText('has that passkey already').waitFor();
  await judgeWhole(page, 'one factor, and a device that does not go on');

  await askForStatement(page);
  await page.locator('form[data-passkey] button').click();
  await page.getByText(`Shown to ${number}, with a second factor.`).waitFor();

  // Somebody else's session for factors is none of yours.
  const mine = (await page.context().cookies()).find((c) => c.name === 'shop-security');
  assert.ok(mine?.httpOnly && mine.sameSite === 'Strict', JSON.stringify(mine));
  const other = await open(t);
  await signUp(other);
  await other.context().addCookies([mine]);
  await other.goto(`${example}/security`);
  await other.getByText('First confirm that you hold').waitFor();

  await page.context().clearCookies({ name: 'shop-security' });
  await unlock(page, number);
  await remove(page, 'Passkey');
  await page.getByRole('heading', { name: 'Show a factor first' }).waitFor();
  await judgeWhole(page, 'a step-up');
  await cdp.send('WebAuthn.setUserVerified', { authenticatorId: id, isUserVerified: false });
  await page.getByRole('button', { name: 'Use a passkey' }).click();
  await page.getByText('did not go on').waitFor();
  await cdp.send('WebAuthn.setUserVerified', { authenticatorId: id, isUserVerified: true });
  await page.getByRole('button', { name: 'Use a passkey' }).click();
  await page.getByText('It is removed.').waitFor();
  await page.getByText('You have no second factor yet').waitFor();
});

test('a number without an account', async (t) => {
  const page = await open(t);
  const { code } = await start(page, '/login');
  await page.getByLabel('Code').fill(code);
  await page.getByText('There is no account with this number yet').waitFor();
  await page.goto(`${example}/account`);
  await page.waitForURL(`${example}/login`);
});

test('a payment: payee and amount on the page, in the message and in the proof', async (t) => {
  const page = await open(t);
  const number = await signUp(page);
  await forget();
  await visit(page, '/pay/17');
  await judgeWhole(page, 'before the approval');
  assert.match(await page.locator('.cs-transaction').innerText(), /ACME AB[^]*49\.90 EUR/);
  await page.getByRole('button', { name: 'Send code' }).click();
  await page.getByLabel('Code').waitFor();
  const code = await codeOf(number, 1);
  const [message] = await inbox(number);
  assert.match(message?.text ?? '', /49\.90/);
  assert.match(message?.text ?? '', /ACME AB/);
  await judgeWhole(page, 'with the code');
  await page.getByLabel('Code').fill(code);
  await page.getByText('Paid 49.90 EUR to ACME AB.').waitFor();
  await page.goto(`${example}/account`);
  await page.getByRole('listitem').filter({ hasText: 'ACME AB' }).getByText('paid').waitFor();
});

test('a payment that a page shows differently, or another number approves, is none', async (t) => {
  const page = await open(t);
  await signUp(page);
  // The attack: what the browser sends to Countersign is not what the shop carries out.
  await page.route(`${base}/v1/verifications`, async (route) => {
    const body = route.request().postDataJSON();
    await (body?.transaction ? route.continue({ postData: JSON.stringify({ ...body, transaction: { ...body.transaction, amount: '1.00' } }) }) : route.continue());
  });
  const cheap = await start(page, '/pay/17', newNumber());
  await page.getByLabel('Code').fill(cheap.code);
  await page.getByText('This is not an approval of this payment.').waitFor();
  await page.unroute(`${base}/v1/verifications`);
  const other = await start(page, '/pay/17', newNumber());
  await page.getByLabel('Code').fill(other.code);
  await page.getByText('Approve it with the number that you signed in with.').waitFor();
  await page.goto(`${example}/account`);
  await page.getByRole('link', { name: 'Pay order 17' }).waitFor();
});

test('leaving by a link and coming back; a number that was left on purpose does not come back', async (t) => {
  const page = await open(t);
  await start(page);
  await page.getByRole('link', { name: 'The shop' }).click();
  await page.waitForURL(`${example}/`);
  await page.goBack();
  await page.getByLabel('Code').waitFor();
  await page.getByRole('button', { name: 'Change number' }).click();
  await page.getByLabel('Phone number').waitFor();
  await visit(page);
  assert.equal(await page.getByLabel('Phone number').inputValue(), '');
  assert.equal(await page.getByLabel('Code').count(), 0);
});

test('without script the forms say so', async (t) => {
  const page = await open(t, { javaScriptEnabled: false });
  for (const path of ['/login', '/signup']) {
    await page.goto(example + path);
    assert.match(await page.locator('main').innerText(), /needs scripts/);
  }
});

for (const javaScriptEnabled of [true, false]) {
  test(`login with OpenID Connect, ${javaScriptEnabled ? 'with' : 'without'} script`, async (t) => {
    const page = await open(t, { javaScriptEnabled });
    await forget();
    await page.goto(`${example}/login`);
    await page.getByRole('link', { name: 'Sign in with Countersign' }).click();
    await page.waitForURL((url) => url.origin === base);
    const number = newNumber();
    await page.locator('#phone').fill(number);
    await page.locator('form[method=post] .go').click();
    await page.locator('#code').waitFor();
    await page.locator('#code').fill(await codeOf(number));
    if (!javaScriptEnabled) {
      await page.locator('form[data-code] .go').click();
      await page.getByRole('button', { name: 'Continue' }).click();
    }
    await page.waitForURL(`${example}/account`);
    await page.getByText(`Signed in as ${number}`).waitFor();
    if (javaScriptEnabled) return;
    for (const path of ['/pay/17', '/security']) {
      await page.goto(example + path);
      assert.match(await page.locator('main').innerText(), /needs scripts/);
    }
  });
}

formTests({ visit, welcome: (number) => `Signed in as ${number}`, judge: judgeWhole });
