// Every page, in several languages and both colour schemes, against the rules of WCAG 2.2 A and AA that a program can
// judge, and those that axe calls best practice.

import { AxeBuilder } from '@axe-core/playwright';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { base, codeOf, forget, newNumber, open, start, verifyURL, wrong } from './sandbox.mjs';

const rules = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

/**
 * @param {import('playwright-core').Page} page
 * @param {string} name
 */
async function judge(page, name) {
  const axe = new AxeBuilder({ page });
  const dark = await page.evaluate(() => matchMedia('(prefers-color-scheme: dark)').matches);
  // The two schemes are one document in other colours: only what depends on those is judged again.
  const { violations, passes } = await (dark ? axe.withRules(['color-contrast']) : axe.withTags(rules)).analyze();
  assert.ok(passes.length > (dark ? 0 : 10), `${name}: axe did look`);
  assert.deepEqual(violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.html).join(' ')}`), [], name);
}

for (const colorScheme of /** @type {const} */ (['light', 'dark'])) {
  for (const lang of colorScheme === 'light' ? ['en', 'ar', 'ja', 'de'] : ['en']) {
    test(`hosted page, ${lang}, ${colorScheme}`, async (t) => {
      const page = await open(t, { colorScheme, reducedMotion: 'reduce' });
      await page.goto(verifyURL({ lang }));
      await page.locator('summary').click();
      await judge(page, 'phone form');
      await page.locator('#phone').fill('1');
      await page.locator('form[method=post] .go').click();
      await page.locator('#problem').waitFor();
      await judge(page, 'phone form with a problem');
      const { code } = await start(page, { lang });
      await judge(page, 'code form');
      await page.locator('#code').fill(wrong(code));
      await page.locator('#problem').waitFor();
      await judge(page, 'code form with a problem');
      await page.locator('#code').fill(code);
      await page.locator('#proof').waitFor();
      await judge(page, 'done');
    });
  }

  test(`sandbox pages, ${colorScheme}`, async (t) => {
    const page = await open(t, { colorScheme, reducedMotion: 'reduce', permissions: ['clipboard-read', 'clipboard-write'] });
    await start(page); // so that the inbox holds something
    for (const path of ['/', '/dev/inbox', '/docs']) {
      await page.goto(base + path);
      await judge(page, path);
    }
    if (colorScheme === 'dark') return; // the same colours at every width
    await page.setViewportSize({ width: 1440, height: 900 });
    for (const path of ['/', '/dev/inbox', '/docs']) {
      await page.goto(base + path);
      await judge(page, `${path}, wide`);
    }
  });
}

test('pages of an OpenID Connect login', async (t) => {
  const page = await open(t, { reducedMotion: 'reduce' });
  await forget();
  const number = newNumber();
  await page.goto(`${base}/oauth2/authorize?${new URLSearchParams({
    client_id: 'demo', response_type: 'code', scope: 'openid phone', redirect_uri: 'http://127.0.0.1:3000/callback', state: 's', nonce: 'n', prompt: 'consent',
    ui_locales: 'ar', code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM', code_challenge_method: 'S256',
  })}`);
  await page.locator('#phone').fill(number);
  await page.locator('form[method=post] .go').click();
  await page.locator('#code').waitFor();
  await page.locator('#code').fill(await codeOf(number));
  await page.locator('button[value=deny]').waitFor();
  assert.equal(await page.locator('html').getAttribute('dir'), 'rtl');
  await judge(page, 'consent');
  await page.goto(`${base}/oauth2/logout`);
  await page.locator('button[value=yes]').waitFor();
  await judge(page, 'logout');
  await page.goto(`${base}/oauth2/login?id=x`);
  await judge(page, 'a login that cannot go on');
});

test('axe sees what is wrong', async (t) => {
  const page = await open(t);
  await page.goto(verifyURL());
  await page.evaluate(() => document.querySelector('label[for=phone]')?.remove());
  await assert.rejects(judge(page, 'a page without a label'), /label/);
  const dark = await open(t, { colorScheme: 'dark' });
  await dark.goto(verifyURL());
  await dark.evaluate(() => {
    for (const label of document.querySelectorAll('label')) label.style.color = '#333';
  });
  await assert.rejects(judge(dark, 'dark text on dark ground'), /color-contrast/);
});
