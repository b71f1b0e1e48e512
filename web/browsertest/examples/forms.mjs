// What the SDK's two forms have in common, whoever shows them: <countersign-verify> in examples/html and <VerificationForm>
// in examples/nextjs.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { advance, base, codeOf, codes, forget, lockOut, newNumber, open, wrong } from '../sandbox.mjs';

/** @typedef {import('playwright-core').Page} Page */

/** Types a number into the form that a page shows, and asks for a code. @param {Page} page @param {string} number */
export async function ask(page, number) {
  await page.getByLabel('Phone number').fill(number);
  await page.getByRole('button', { name: 'Send code' }).click();
}

/**
 * Sends a code to a number, from a page that shows the form.
 * @param {Page} page
 * @param {string} number
 */
export async function send(page, number) {
  await forget();
  const seen = (await codes(number)).length;
  await ask(page, number);
  await page.getByLabel('Code').waitFor();
  return { number, code: await codeOf(number, seen) };
}

/** Counts what a page sends to a call of the server, by its Idempotency-Key. @param {Page} page @param {string} end */
function count(page, end) {
  /** @type {string[]} */
  const sent = [];
  page.on('request', (r) => { if (r.method() === 'POST' && r.url().startsWith(base) && r.url().endsWith(end)) sent.push(r.headers()['idempotency-key'] ?? ''); });
  return sent;
}

/**
 * @param {object} app
 * @param {(page: Page) => Promise<void>} app.visit goes to a page with the form
 * @param {(number: string) => string} app.welcome what the app says once its server has taken the proof
 * @param {(page: Page, what: string) => Promise<void>} app.judge
 */
export function formTests({ visit, welcome, judge }) {
  const start = async (/** @type {Page} */ page) => {
    await visit(page);
    return send(page, newNumber());
  };
  const finish = async (/** @type {Page} */ page, /** @type {{number: string, code: string}} */ { number, code }) => {
    await page.getByLabel('Code').fill(code);
    await page.getByText(welcome(number)).waitFor();
  };

  test('a form that is sent twice sends once', async (t) => {
    const page = await open(t);
    const [starts, checks] = [count(page, '/verifications'), count(page, '/checks')];
    await forget();
    await visit(page);
    const number = newNumber();
    await page.getByLabel('Phone number').fill(number);
    await page.getByRole('button', { name: 'Send code' }).dblclick();
    await page.getByLabel('Code').fill(await codeOf(number)); // sends by itself; the return key comes on top
    await page.keyboard.press('Enter'); // to whatever has the focus by now: the field may be gone already
    await page.getByText(welcome(number)).waitFor();
    assert.deepEqual([starts.length, checks.length], [1, 1]);
    assert.equal((await codes(number)).length, 1);
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
    const sent = await start(page);
    assert.equal(starts.length, 2);
    assert.ok(starts[0] && starts[0] === starts[1], 'the same attempt has the same key');
    assert.equal((await codes(sent.number)).length, 1);
    await finish(page, sent);
  });

  test('a slow network: the form says that it works, and takes nothing more', async (t) => {
    const page = await open(t);
    const network = await page.context().newCDPSession(page);
    await forget();
    await visit(page);
    await network.send('Network.emulateNetworkConditions', { offline: false, latency: 700, downloadThroughput: 20_000, uploadThroughput: 20_000 });
    await ask(page, newNumber());
    await page.locator('.countersign[aria-busy=true]').waitFor();
    assert.ok(await page.getByRole('button', { name: 'Send code' }).isDisabled());
    await page.getByLabel('Code').waitFor();
  });

  test('two tabs, each with its own number', async (t) => {
    const one = await open(t);
    const first = await start(one);
    const two = await one.context().newPage();
    const second = await start(two);
    await finish(one, first);
    await finish(two, second);
  });

  test('the back button, and a page that is loaded again, show the code form again', async (t) => {
    const page = await open(t);
    const sent = await start(page);
    await page.goto(`${base}/docs`);
    await page.goBack();
    await page.getByLabel('Code').waitFor();
    await page.reload();
    await finish(page, sent);
    assert.equal((await codes(sent.number)).length, 1, 'and send nothing');
  });

  test('sending again, when it is time', async (t) => {
    const page = await open(t);
    await page.clock.install();
    const { number, code } = await start(page);
    const again = page.getByRole('button', { name: 'Send again' });
    const wait = page.locator('.cs-again').getByText(/0:\d\d/);
    assert.ok(await again.isDisabled());
    await wait.waitFor();
    await forget(); // the server's own count; its clock stays, and with it the example's
    await page.clock.fastForward(31_000);
    await again.click();
    await wait.waitFor();
    assert.equal(await codeOf(number, 1), code);
    assert.equal((await codes(number)).length, 2);
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
    await visit(page);
    await ask(page, number);
    await page.getByText('Too many wrong codes').waitFor();
    await judge(page, 'locked');
    assert.equal(await page.getByLabel('Code').count(), 0);
  });
}
