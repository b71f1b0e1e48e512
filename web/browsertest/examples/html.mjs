// examples/html: the web component on a page with a strict policy, across origins from the server under test.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { base, codeOf, example, forget, judge, judgeBoth, newNumber, open, wrong } from '../sandbox.mjs';
import { ask, formTests, send } from './forms.mjs';

/** @param {import('playwright-core').Page} page */
async function visit(page) {
  await page.goto(example);
  await page.getByLabel('Phone number').waitFor();
}

test("from a number to the server's own word", async (t) => {
  const page = await open(t);
  await visit(page);
  await judgeBoth(page, 'phone form');
  await ask(page, '1');
  await page.getByText('That phone number is not valid').waitFor();
  await judgeBoth(page, 'phone form with a problem');
  const { number, code } = await send(page, newNumber());
  await judgeBoth(page, 'code form');
  await page.getByLabel('Code').fill(wrong(code));
  await page.getByText('Attempts left: 4').waitFor();
  await judgeBoth(page, 'code form with a problem');
  await page.getByLabel('Code').fill(`<#> Your code is ${code}.`);
  await page.getByText(`Our server knows: you hold ${number}.`).waitFor();
  await judgeBoth(page, 'done');
});

test('without script there is a link to the hosted page', async (t) => {
  const page = await open(t, { javaScriptEnabled: false });
  await page.goto(example);
  await page.getByRole('link', { name: 'Verify your phone' }).click();
  await page.waitForURL((url) => url.origin === base && url.pathname === '/verify');
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
  await visit(page);
  const number = newNumber();
  await ask(page, number);
  await page.getByLabel('Code').waitFor();
  assert.ok(sent.length >= 2 && !sent[0]?.challenge_response && sent.at(-1)?.challenge_response, `the guard asked: ${sent.length}`);
  assert.match(String(await workers), /\/countersign\/worker\.js$/);
  await page.getByLabel('Code').fill(await codeOf(number));
  await page.getByText(`you hold ${number}`).waitFor();
});

test("another browser's proof does not count", async (t) => {
  const page = await open(t);
  await visit(page);
  const { code } = await send(page, newNumber());
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

formTests({ visit, welcome: (number) => `Our server knows: you hold ${number}.`, judge });
