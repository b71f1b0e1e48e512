// The hosted page when things go wrong: time runs out, guesses run out, buttons are pressed that no app has, the network
// is bad.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { advance, inbox, newNumber, open, sentForms, start, verifyURL, wrong } from './sandbox.mjs';

for (const javaScriptEnabled of [true, false]) {
  const script = javaScriptEnabled ? 'with script' : 'without script';
  const submit = async (/** @type {import('playwright-core').Page} */ page, /** @type {string} */ code) => {
    await page.locator('#code').fill(code);
    if (!javaScriptEnabled) await page.locator('form[data-code] .go').click();
  };
  const problem = async (/** @type {import('playwright-core').Page} */ page, /** @type {string} */ code) => {
    await page.locator(`[data-problem=${code}]`).waitFor();
  };

  test(`a code whose time has run out, ${script}`, async (t) => {
    const page = await open(t, { javaScriptEnabled });
    const { code } = await start(page);
    await advance(301);
    await submit(page, code);
    await problem(page, 'verification_expired');
    assert.equal(await page.locator('#proof').count(), 0);
  });

  test(`all guesses used up, ${script}`, async (t) => {
    const page = await open(t, { javaScriptEnabled });
    const { code } = await start(page);
    for (let left = 4; left > 0; left--) {
      await submit(page, wrong(code));
      await page.getByText(`Attempts left: ${left}.`).waitFor();
    }
    await submit(page, wrong(code));
    await page.getByText('no attempts are left').waitFor();
    assert.equal(await page.locator('#code').count(), 0, 'there is nothing to guess at');
  });

  test(`the back button, and the same number again, ${script}`, async (t) => {
    const page = await open(t, { javaScriptEnabled });
    const { number } = await start(page);
    await page.goBack();
    await page.locator('#phone').fill(number);
    await page.locator('form[method=post] .go').click();
    await page.locator('[data-problem=resend_too_soon], #code').first().waitFor();
    assert.equal((await inbox(number)).length, 1, 'no second message goes out');
  });
}

test('two tabs, each with its own number', async (t) => {
  const one = await open(t);
  const first = await start(one);
  const two = await one.context().newPage();
  const second = await start(two);
  await one.locator('#code').fill(first.code);
  await two.locator('#code').fill(second.code);
  await one.locator('#proof').waitFor();
  await two.locator('#proof').waitFor();
  assert.notEqual(await one.locator('#proof').inputValue(), await two.locator('#proof').inputValue());
});

test('a slow network: the button says that it works, and is not pressed twice', async (t) => {
  const page = await open(t);
  await start(page); // so that the limits are fresh
  await page.goto(verifyURL());
  const network = await page.context().newCDPSession(page);
  await network.send('Network.emulateNetworkConditions', { offline: false, latency: 800, downloadThroughput: 30_000, uploadThroughput: 30_000 });
  const number = newNumber();
  await page.locator('#phone').fill(number);
  const sent = sentForms(page);
  // Within one turn of the page: from outside, a page on its way elsewhere cannot be looked at.
  const seen = await page.evaluate(async () => {
    const button = /** @type {HTMLButtonElement} */ (document.querySelector('form[method=post] .go'));
    button.click();
    await new Promise((resolve) => { setTimeout(resolve, 100); });
    button.click();
    return { busy: button.form?.ariaBusy, disabled: button.disabled };
  });
  assert.deepEqual(seen, { busy: 'true', disabled: true });
  await page.locator('#code').waitFor();
  assert.equal(sent.length, 1);
  assert.equal((await inbox(number)).length, 1);
});
