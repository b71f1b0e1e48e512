// examples/html: the web component on a page with a strict policy, across origins from the server under test.

import { AxeBuilder } from '@axe-core/playwright';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { advance, base, codeOf, example, forget, inbox, lockOut, newNumber, open, wrong } from '../sandbox.mjs';

/**
 * Sends a code to a number of its own.
 * @param {import('playwright-core').Page} page
 */
async function start(page, number = newNumber()) {
  await forget();
  await page.goto(example);
  await page.getByLabel('Phone number').fill(number);
  await page.getByRole('button', { name: 'Send code' }).click();
  await page.getByLabel('Code').waitFor();
  return { number, code: await codeOf(number) };
}

/** Counts what a page sends to a call. @param {import('playwright-core').Page} page @param {string} end */
function count(page, end) {
  /** @type {string[]} */
  const sent = [];
  page.on('request', (r) => { if (r.method() === 'POST' && r.url().startsWith(base) && r.url().endsWith(end)) sent.push(r.url()); });
  return sent;
}

for (const colorScheme of /** @type {const} */ (['light', 'dark'])) {
  test(`from a number to the server's own word, ${colorScheme}`, async (t) => {
    const page = await open(t, { colorScheme });
    const judge = async (/** @type {string} */ what) => assert.deepEqual((await new AxeBuilder({ page }).analyze()).violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.html + n.any.map((a) => a.message)).join(' ')}`), [], what);
    await page.goto(example);
    await page.getByLabel('Phone number').waitFor();
    await judge('phone form');
    await page.getByLabel('Phone number').fill('1');
    await page.getByRole('button', { name: 'Send code' }).click();
    await page.getByText('That phone number is not valid').waitFor();
    await judge('phone form with a problem');
    const { number, code } = await start(page);
    await judge('code form');
    await page.getByLabel('Code').fill(wrong(code));
    await page.getByText('Attempts left: 4').waitFor();
    await judge('code form with a problem');
    await page.getByLabel('Code').fill(`<#> Your code is ${code}.`);
    await page.getByText(`Our server knows: you hold ${number}.`).waitFor();
    await judge('done');
  });
}

test('without script there is a link to the hosted page', async (t) => {
  const page = await open(t, { javaScriptEnabled: false });
  await page.goto(example);
  await page.getByRole('link', { name: 'Verify your phone' }).click();
  await page.waitForURL((url) => url.origin === base && url.pathname === '/verify');
});

test('a page that is loaded again shows the code form again', async (t) => {
  const page = await open(t);
  const { number, code } = await start(page);
  await page.reload();
  await page.getByLabel('Code').fill(code);
  await page.getByText(`you hold ${number}`).waitFor();
});

test('the proof of work is done beside the page, once it is asked for', async (t) => {
  const page = await open(t);
  /** @type {{challenge_response?: string}[]} */
  const sent = [];
  page.on('request', (r) => { if (r.method() === 'POST' && r.url() === `${base}/v1/verifications`) sent.push(r.postDataJSON()); });
  const workers = new Promise((resolve) => { page.on('worker', (w) => resolve(w.url())); });
  await forget();
  // More than ten starts a minute from one address are too many for nothing.
  for (let i = 0; i < 12; i++) {
    await fetch(`${base}/v1/verifications`, {
      method: 'POST', headers: { Authorization: 'Bearer pk_sandbox_demo', 'Content-Type': 'application/json', Origin: example }, body: JSON.stringify({ to: newNumber() }),
    });
  }
  await page.goto(example);
  const number = newNumber();
  await page.getByLabel('Phone number').fill(number);
  await page.getByRole('button', { name: 'Send code' }).click();
  await page.getByLabel('Code').waitFor();
  assert.ok(sent.length >= 2 && !sent[0]?.challenge_response && sent.at(-1)?.challenge_response, `the guard asked: ${sent.length}`);
  assert.match(String(await workers), /\/countersign\/worker\.js$/);
  await page.getByLabel('Code').fill(await codeOf(number));
  await page.getByText(`you hold ${number}`).waitFor();
});

test("another browser's proof does not count", async (t) => {
  const page = await open(t);
  const { code } = await start(page);
  const other = await open(t);
  await other.goto(example);
  await page.route('**/verified', async (route) => {
    const proof = route.request().postData() ?? '';
    const stolen = await other.evaluate(async (body) => (await fetch('verified', { method: 'POST', body })).status, proof);
    assert.equal(stolen, 403);
    await route.continue();
  });
  await page.getByLabel('Code').fill(code);
  await page.getByText('Our server knows').waitFor();
});

test('a form that is sent twice sends once', async (t) => {
  const page = await open(t);
  const [starts, checks] = [count(page, '/verifications'), count(page, '/checks')];
  await forget();
  await page.goto(example);
  const number = newNumber();
  await page.getByLabel('Phone number').fill(number);
  await page.getByRole('button', { name: 'Send code' }).dblclick();
  const field = page.getByLabel('Code');
  await field.fill(await codeOf(number)); // sends by itself
  await page.getByText(`you hold ${number}`).waitFor();
  assert.deepEqual([starts.length, checks.length], [1, 1]);
  assert.equal((await inbox(number)).length, 1);
});

test('a slow network: the form says that it works, and takes nothing more', async (t) => {
  const page = await open(t);
  const network = await page.context().newCDPSession(page);
  await forget();
  await page.goto(example);
  await page.getByLabel('Phone number').fill(newNumber());
  await network.send('Network.emulateNetworkConditions', { offline: false, latency: 700, downloadThroughput: 20_000, uploadThroughput: 20_000 });
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
  await one.getByText(`you hold ${first.number}`).waitFor();
  await two.getByLabel('Code').fill(second.code);
  await two.getByText(`you hold ${second.number}`).waitFor();
});

test('the back button', async (t) => {
  const page = await open(t);
  const { number, code } = await start(page);
  await page.goto(`${base}/docs`);
  await page.goBack();
  await page.getByLabel('Code').fill(code);
  await page.getByText(`you hold ${number}`).waitFor();
});

test('sending again, when it is time', async (t) => {
  const page = await open(t);
  await page.clock.install();
  const { number, code } = await start(page);
  const again = page.getByRole('button', { name: 'Send again' });
  assert.ok(await again.isDisabled());
  await forget(); // the server's own count; its clock stays, and with it the example's
  await page.clock.fastForward(31_000);
  await again.click();
  assert.equal(await codeOf(number, 1), code);
  await page.locator('.cs-again').getByText(/0:\d\d/).waitFor();
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
  await page.getByRole('button', { name: 'Start again' }).click();
  await page.getByLabel('Phone number').waitFor();
});

// Last: the server's clock goes ahead of the example's, whose server takes no proofs of the future.
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
  await page.goto(example);
  await page.getByLabel('Phone number').fill(number);
  await page.getByRole('button', { name: 'Send code' }).click();
  await page.getByText('Too many wrong codes').waitFor();
  assert.equal(await page.getByLabel('Code').count(), 0);
});
