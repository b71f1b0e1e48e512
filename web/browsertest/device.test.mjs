// A device that proved a phone here is known again, so that a stranger cannot keep its owner out.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { codeOf, inbox, lockOut, open, start, verifyURL } from './sandbox.mjs';

/** @param {import('playwright-core').Page} page @param {string} number */
async function ask(page, number) {
  await page.goto(verifyURL());
  await page.locator('#phone').fill(number);
  await page.locator('form[method=post] .go').click();
}

test('a stranger locks a phone, and its owner gets in all the same', async (t) => {
  const page = await open(t);
  const { number, code } = await start(page);
  await page.locator('#code').fill(code);
  await page.locator('#proof').waitFor();
  const cookie = (await page.context().cookies()).find((c) => c.name.includes('device'));
  assert.ok(cookie?.httpOnly && cookie.sameSite === 'Lax' && cookie.value.startsWith('dev_'), JSON.stringify(cookie));
  assert.ok(!(await page.content()).includes(cookie.value), 'the token is in no page');

  await lockOut(number);
  const stranger = await open(t);
  await ask(stranger, number);
  await stranger.locator('#problem').waitFor();
  assert.equal(await stranger.locator('#problem').getAttribute('data-problem'), 'too_many_checks');

  await ask(page, number);
  await page.locator('#code').waitFor();
  await page.locator('#code').fill(await codeOf(number));
  await page.locator('#proof').waitFor();
  assert.ok((await inbox(number)).length > 1);
});
