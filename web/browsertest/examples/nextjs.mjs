// examples/nextjs: sign-up, login, the protected page and the payment, on an origin of its own.

import { AxeBuilder } from '@axe-core/playwright';
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import { advance, base, codeOf, example, forget, inbox, lockOut, newNumber, open, wrong } from '../sandbox.mjs';

/** @param {import('playwright-core').Page} page @param {string} what */
async function judge(page, what) {
  // The server streams the title after the page, and the router changes it after the text: a page is judged once it is whole.
  await page.waitForFunction(() => document.title !== '' && !document.querySelector('[aria-busy=true]') && document.getAnimations().every((a) => a.playState !== 'running'));
  const { violations } = await new AxeBuilder({ page }).analyze();
  assert.deepEqual(violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.html).join(' ')}`), [], what);
}

/**
 * Goes to a page with a form, which is good for nothing before its script has taken it over.
 * @param {import('playwright-core').Page} page
 * @param {string} path
 */
async function visit(page, path) {
  await page.goto(example + path);
  await page.waitForFunction(() => Object.keys(document.querySelector('.countersign') ?? {}).some((key) => key.startsWith('__react')));
}

/**
 * Sends a code to a number, from one of the pages.
 * @param {import('playwright-core').Page} page
 */
async function start(page, path = '/signup', number = newNumber()) {
  await forget();
  const seen = (await inbox(number)).length;
  await visit(page, path);
  await page.getByLabel('Phone number').fill(number);
  await page.getByRole('button', { name: 'Send code' }).click();
  await page.getByLabel('Code').waitFor();
  return { number, code: await codeOf(number, seen) };
}

/** @param {import('playwright-core').Page} page */
async function signUp(page) {
  const { number, code } = await start(page);
  await page.getByLabel('Code').fill(code);
  await page.getByText(`Signed in as ${number}`).waitFor();
  return number;
}

/** Counts what a page sends to a call. @param {import('playwright-core').Page} page @param {string} end */
function count(page, end) {
  /** @type {string[]} */
  const sent = [];
  page.on('request', (r) => { if (r.method() === 'POST' && r.url().startsWith(base) && r.url().endsWith(end)) sent.push(r.headers()['idempotency-key'] ?? ''); });
  return sent;
}

test('sign-up, sign-out, the protected page, login', async (t) => {
  const page = await open(t);
  await page.goto(`${example}/account`);
  await page.waitForURL(`${example}/login`);
  const { number, code } = await start(page);
  await judge(page, 'code form');
  await page.getByLabel('Code').fill(wrong(code));
  await page.getByText('Attempts left: 4').waitFor();
  await judge(page, 'code form with a problem');
  await page.getByLabel('Code').fill(code);
  await page.getByText(`Signed in as ${number}`).waitFor();
  await judge(page, 'account');
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.waitForURL(`${example}/`);
  await page.goto(`${example}/account`);
  await page.waitForURL(`${example}/login`);
  const again = await start(page, '/login', number);
  await page.getByLabel('Code').fill(again.code);
  await page.getByText(`Signed in as ${number}`).waitFor();
});

/** What an authenticator app shows in a half minute (RFC 6238). @param {string} secret in base 32 @param {number} step */
function totp(secret, step) {
  const bits = [...secret].map((c) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(c).toString(2).padStart(5, '0')).join('');
  const key = Buffer.from((bits.match(/.{8}/g) ?? []).map((b) => parseInt(b, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(step));
  const mac = createHmac('sha1', key).update(counter).digest();
  return String((mac.readUInt32BE((mac.at(-1) ?? 0) & 15) & 0x7fffffff) % 1e6).padStart(6, '0');
}

test('a second factor: refused without, added, asked for, and not had by a phone alone', async (t) => {
  const page = await open(t);
  const number = await signUp(page);
  const step = async () => {
    await page.goto(`${example}/statement`);
    await page.getByRole('link', { name: 'Show your second factor' }).click();
    await page.waitForURL((url) => url.origin === base || url.pathname === '/login');
  };

  await page.goto(`${example}/statement`);
  await page.getByText('Your second factor, please').waitFor();
  await judge(page, 'a page of the second level');
  await step();
  await forget();
  await page.locator('#phone').fill(number);
  await page.locator('form[method=post] .go').click();
  await page.locator('#code').waitFor();
  await page.locator('#code').fill(await codeOf(number, 1));
  await page.getByText('no second factor was shown').waitFor();

  await forget();
  await visit(page, '/security');
  await page.getByRole('button', { name: 'Send code' }).click();
  await page.getByLabel('Code').waitFor();
  await page.getByLabel('Code').fill(await codeOf(number, 2));
  const field = page.getByLabel('Code that the app shows');
  await field.waitFor();
  await judge(page, 'the secret');
  const secret = await page.locator('main p code').innerText();
  const now = Math.floor(Date.now() / 30_000);
  await field.fill(wrong(totp(secret, now)));
  await page.getByRole('button', { name: 'Confirm' }).click();
  await page.getByText('That code is not right').waitFor();
  await judge(page, 'the secret, with a problem');
  // The half minute may be over by now; a code is good a little longer.
  const shown = Math.floor(Date.now() / 30_000);
  await field.fill(totp(secret, shown));
  await page.getByRole('button', { name: 'Confirm' }).click();
  await page.getByText('is your second factor now').waitFor();
  assert.equal(await page.locator('.codes li').count(), 10);
  await judge(page, 'codes for paper');

  await step();
  await page.locator('#factor').fill(totp(secret, Math.max(shown + 1, Math.floor(Date.now() / 30_000)))); // each is good once
  await page.locator('#factor').press('Enter');
  await page.waitForURL(`${example}/statement`);
  await page.getByText(`Shown to ${number}, with a second factor.`).waitFor();
  await judge(page, 'the statement');

  const again = await start(page, '/login', number);
  await page.getByLabel('Code').fill(again.code);
  await page.getByText(`Signed in as ${number}`).waitFor();
  await page.goto(`${example}/statement`);
  await page.getByText('Your second factor, please').waitFor();
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
  await judge(page, 'before the approval');
  assert.match(await page.locator('.cs-transaction').innerText(), /ACME AB[^]*49\.90 EUR/);
  await page.getByRole('button', { name: 'Send code' }).click();
  await page.getByLabel('Code').waitFor();
  const code = await codeOf(number, 1);
  const [message] = await inbox(number);
  assert.match(message?.text ?? '', /49\.90/);
  assert.match(message?.text ?? '', /ACME AB/);
  await judge(page, 'with the code');
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

test('a form that is sent twice sends once', async (t) => {
  const page = await open(t);
  const [starts, checks] = [count(page, '/verifications'), count(page, '/checks')];
  await forget();
  await visit(page, '/signup');
  const number = newNumber();
  await page.getByLabel('Phone number').fill(number);
  await page.getByRole('button', { name: 'Send code' }).dblclick();
  await page.getByLabel('Code').waitFor();
  const field = page.getByLabel('Code');
  await field.fill(await codeOf(number)); // sends by itself; the return key comes on top
  await page.keyboard.press('Enter'); // to whatever has the focus by now: the field may be gone already
  await page.getByText(`Signed in as ${number}`).waitFor();
  assert.deepEqual([starts.length, checks.length], [1, 1]);
  assert.equal((await inbox(number)).length, 1);
});

test('an answer that is lost on a bad network sends nothing twice', async (t) => {
  const page = await open(t);
  const starts = count(page, '/verifications');
  let lost = 0;
  await page.route(`${base}/v1/verifications`, async (route) => {
    if (route.request().method() !== 'POST' || lost++ > 0) return route.continue();
    await route.fetch(); // it arrives, and is answered
    return route.abort('connectionreset');
  });
  const { number, code } = await start(page);
  assert.equal(starts.length, 2);
  assert.equal(starts[0], starts[1]);
  assert.equal((await inbox(number)).length, 1);
  await page.getByLabel('Code').fill(code);
  await page.getByText(`Signed in as ${number}`).waitFor();
});

test('a slow network: the form says that it works, and takes nothing more', async (t) => {
  const page = await open(t);
  const network = await page.context().newCDPSession(page);
  await forget();
  await visit(page, '/signup');
  await network.send('Network.emulateNetworkConditions', { offline: false, latency: 700, downloadThroughput: 20_000, uploadThroughput: 20_000 });
  await page.getByLabel('Phone number').fill(newNumber());
  await page.getByRole('button', { name: 'Send code' }).click();
  await page.locator('.countersign[aria-busy=true]').waitFor();
  assert.ok(await page.getByRole('button', { name: 'Send code' }).isDisabled());
  await page.getByLabel('Code').waitFor();
});

test('two tabs, each with its own number', async (t) => {
  const one = await open(t);
  const first = await start(one);
  const two = await one.context().newPage();
  const second = await start(two);
  await one.getByLabel('Code').fill(first.code);
  await one.getByText(`Signed in as ${first.number}`).waitFor();
  await two.getByLabel('Code').fill(second.code);
  await two.getByText(`Signed in as ${second.number}`).waitFor();
});

test('the back button, and a page that is loaded again', async (t) => {
  const page = await open(t);
  const { number, code } = await start(page);
  await page.getByRole('link', { name: 'The shop' }).click();
  await page.waitForURL(`${example}/`);
  await page.goBack();
  await page.getByLabel('Code').waitFor();
  await page.reload();
  await page.getByLabel('Code').waitFor();
  await page.getByRole('button', { name: 'Change number' }).click();
  assert.equal(await page.getByLabel('Phone number').inputValue(), '');
  await page.goBack();
  await visit(page, '/signup');
  assert.equal(await page.getByLabel('Code').count(), 0, 'what was left on purpose does not come back');
  assert.ok(code && number);
});

test('all guesses used up', async (t) => {
  const page = await open(t);
  const { code } = await start(page);
  for (let left = 4; left > 0; left--) {
    await page.getByLabel('Code').fill(wrong(code));
    await page.getByText(`Attempts left: ${left}.`).waitFor();
  }
  await page.getByLabel('Code').fill(wrong(code));
  await page.getByText('no attempts are left').waitFor();
  await judge(page, 'no attempts left');
  await page.getByRole('button', { name: 'Start again' }).click();
  await page.getByLabel('Phone number').waitFor();
});

test('sending again, when it is time', async (t) => {
  const page = await open(t);
  await page.clock.install();
  const { number, code } = await start(page);
  const again = page.getByRole('button', { name: 'Send again' });
  assert.ok(await again.isDisabled());
  assert.match(await page.locator('.cs-again').innerText(), /0:\d\d/);
  await forget(); // the server's own count; its clock stays, and with it the example's
  await page.clock.fastForward(31_000);
  await again.click();
  await page.locator('.cs-again').getByText(/0:\d\d/).waitFor();
  assert.equal(await codeOf(number, 1), code);
  assert.equal((await inbox(number)).length, 2);
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

// Last: the server's clock goes ahead of the example's, which takes no proofs of the future.
test('a code whose time has run out', async (t) => {
  const page = await open(t);
  const { code } = await start(page);
  await advance(301);
  await page.getByLabel('Code').fill(code);
  await page.getByText('The code has expired').waitFor();
  await page.getByRole('button', { name: 'Start again' }).click();
  await page.getByLabel('Phone number').waitFor();
});

test('a phone that is locked', async (t) => {
  const number = newNumber();
  await lockOut(number);
  const page = await open(t);
  await visit(page, '/login');
  await page.getByLabel('Phone number').fill(number);
  await page.getByRole('button', { name: 'Send code' }).click();
  await page.getByText('Too many wrong codes').waitFor();
  await judge(page, 'locked');
  assert.equal(await page.getByLabel('Code').count(), 0);
});
