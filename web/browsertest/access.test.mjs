// Every page, in several languages and both colour schemes, against the rules of WCAG 2.2 A and AA that a program can
// judge, and those that axe calls best practice.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { advance, base, codeOf, codes, forget, judge, judgeBoth, newNumber, open, start, verifyURL, withApp, wrong } from './sandbox.mjs';

/** @typedef {import('playwright-core').Page} Page */

const still = /** @type {const} */ ({ reducedMotion: 'reduce', colorScheme: 'light' });

// English whole, in both schemes; of the others what differs: long words, other scripts, right to left.
for (const lang of ['en', 'ar', 'ja', 'de']) {
  test(`hosted page, ${lang}`, async (t) => {
    const [first, ends] = [lang === 'en', lang === 'en' || lang === 'ar'];
    const look = first ? judgeBoth : judge;
    const page = await open(t, still);
    await page.goto(verifyURL({ lang }));
    await page.locator('summary').click();
    if (first) await look(page, 'phone form');
    await page.locator('#phone').fill('1');
    await page.locator('form[method=post] .go').click();
    await page.locator('#problem').waitFor();
    await look(page, 'phone form with a problem');
    const { code } = await start(page, { lang });
    if (first) await look(page, 'code form');
    await page.locator('#code').fill(wrong(code));
    await page.locator('#problem').waitFor();
    await look(page, 'code form with a problem');
    if (!ends) return;
    await page.locator('#code').fill(code);
    await page.locator('#proof').waitFor();
    await look(page, 'done');
    const late = await start(page, { lang });
    await advance(301);
    await page.locator('#code').fill(late.code);
    await page.locator('[data-problem=verification_expired]').waitFor();
    await look(page, 'a notice: expired');
  });
}

test('sandbox pages', async (t) => {
  const page = await open(t, { ...still, permissions: ['clipboard-read', 'clipboard-write'] });
  await start(page); // so that the inbox holds something
  const paths = ['/', '/dev/inbox', '/docs'];
  for (const path of paths) {
    await page.goto(base + path);
    await judgeBoth(page, path);
  }
  await page.setViewportSize({ width: 1440, height: 900 });
  for (const path of paths) {
    await page.goto(base + path);
    await judge(page, `${path}, wide`); // the same colours at every width
  }
});

/** Begins a login as the client demo, in Arabic. @param {Page} page @param {Record<string, string>} [more] */
const authorize = (page, more) => page.goto(`${base}/oauth2/authorize?${new URLSearchParams({
  client_id: 'demo', response_type: 'code', scope: 'openid phone', redirect_uri: 'http://127.0.0.1:3000/callback', state: 's', nonce: 'n', prompt: 'consent',
  ui_locales: 'ar', code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM', code_challenge_method: 'S256', ...more,
})}`);

/** Proves a number on the hosted page. @param {Page} page @param {string} number */
async function prove(page, number) {
  await forget();
  const seen = (await codes(number)).length;
  await page.locator('#phone').fill(number);
  await page.locator('form[method=post] .go').first().click();
  await page.locator('#code').waitFor();
  await page.locator('#code').fill(await codeOf(number, seen));
}

test('pages of an OpenID Connect login', async (t) => {
  const page = await open(t, still);
  await authorize(page);
  await prove(page, newNumber());
  await page.locator('button[value=deny]').waitFor();
  assert.equal(await page.locator('html').getAttribute('dir'), 'rtl');
  await judgeBoth(page, 'consent');
  for (const [lang, dir, look] of /** @type {const} */ ([['ar', 'rtl', judge], ['de', 'ltr', judgeBoth]])) { // axe tells no colours of Arabic alone
    await page.goto(`${base}/oauth2/logout?ui_locales=${lang}`);
    await page.locator('button[value=yes]').waitFor();
    assert.equal(await page.locator('html').getAttribute('dir'), dir);
    await look(page, `logout, ${lang}`);
  }
  await page.locator('button[value=yes]').click();
  await page.locator('form').waitFor({ state: 'detached' });
  assert.equal(await page.locator('html').getAttribute('lang'), 'de');
  await judgeBoth(page, 'logged out');
  await page.goto(`${base}/oauth2/login?id=x`);
  await judgeBoth(page, 'a notice: the login cannot go on');
});

test('pages that ask for a further factor', async (t) => {
  const number = newNumber();
  await withApp(number);
  const page = await open(t, still);
  await authorize(page, { acr_values: 'urn:countersign:aal2' });
  await prove(page, number);
  await page.locator('#factor').waitFor();
  assert.equal(await page.locator('html').getAttribute('dir'), 'rtl');
  await judgeBoth(page, 'a factor');
  await page.locator('#factor').fill('000000');
  await page.locator('#factor').press('Enter');
  await page.locator('[data-problem=incorrect_code]').waitFor();
  await judgeBoth(page, 'a factor, with a problem');

  // The number was not proved for long: whose is it? Last, because the clock goes on for all tests.
  await advance(91 * 24 * 3600);
  const stranger = await open(t, still);
  await authorize(stranger);
  await prove(stranger, number);
  await stranger.locator('button[value=none]').waitFor();
  await judgeBoth(stranger, 'an old number');
});

test('axe sees what is wrong', async (t) => {
  const page = await open(t, still);
  await page.goto(verifyURL());
  await page.evaluate(() => document.querySelector('label[for=phone]')?.remove());
  await assert.rejects(judge(page, 'a page without a label'), /label/);
  await page.goto(verifyURL());
  await page.evaluate(() => {
    for (const label of document.querySelectorAll('label')) label.style.color = 'light-dark(#171a21, #333)';
  });
  await judge(page, 'the same by day');
  await assert.rejects(judgeBoth(page, 'dark text on dark ground'), /color-contrast/);
});
