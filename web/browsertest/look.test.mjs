// What the pages look like: narrow, mirrored, dark, still, and with targets that a thumb hits.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { base, open, start, verifyURL, wrong } from './sandbox.mjs';

const languages = ['en', 'es', 'fr', 'de', 'sv', 'pt', 'ar', 'hi', 'ja', 'zh'];

/** How far a page can be moved sideways. @param {import('playwright-core').Page} page */
const sideways = (page) => page.evaluate(() => {
  const root = /** @type {Element} */ (document.scrollingElement);
  return root.scrollWidth - root.clientWidth;
});

test('320 pixels are wide enough', async (t) => {
  const page = await open(t, { viewport: { width: 320, height: 640 } });
  const { code } = await start(page);
  assert.equal(await sideways(page), 0, 'code form');
  await page.locator('#code').fill(wrong(code));
  await page.locator('#problem').waitFor();
  assert.equal(await sideways(page), 0, 'code form with a problem');
  await page.locator('#code').fill(code);
  await page.locator('#proof').waitFor();
  assert.equal(await sideways(page), 0, 'done');
  for (const lang of languages) {
    await page.goto(verifyURL({ lang }));
    await page.locator('summary').click();
    assert.equal(await sideways(page), 0, `phone form, ${lang}`);
  }
  for (const path of ['/', '/dev/inbox', '/docs']) {
    await page.goto(base + path);
    assert.equal(await sideways(page), 0, path);
  }
});

test('the code form is whole in every language at 320 pixels', async (t) => {
  const page = await open(t, { viewport: { width: 320, height: 640 } });
  for (const lang of languages) {
    await start(page, { lang });
    assert.equal(await sideways(page), 0, lang);
  }
});

test('text of twice the size fits', async (t) => {
  const page = await open(t, { viewport: { width: 640, height: 640 } });
  await page.goto(verifyURL({ lang: 'de' }));
  await page.evaluate(() => { document.documentElement.style.fontSize = '200%'; });
  assert.equal(await sideways(page), 0);
});

test('Arabic is mirrored, numbers and codes are not', async (t) => {
  const page = await open(t);
  await start(page, { lang: 'ar' });
  assert.equal(await page.locator('html').getAttribute('dir'), 'rtl');
  const box = async (/** @type {string} */ selector) => {
    const found = await page.locator(selector).boundingBox();
    assert.ok(found, selector);
    return found;
  };
  const number = await box('.to bdi');
  const change = await box('.to a');
  assert.ok(number.x > change.x, 'the line reads from the right');
  const style = await page.locator('#code').evaluate((e) => ({ direction: getComputedStyle(e).direction, align: getComputedStyle(e).textAlign }));
  assert.deepEqual(style, { direction: 'ltr', align: 'right' });
  assert.equal(await page.locator('.to bdi').evaluate((e) => getComputedStyle(e).direction), 'ltr');
});

/** How light a colour is, from 0 to 255. @param {string} colour */
const lightness = (colour) => {
  const [r, g, b] = (colour.match(/[\d.]+/g) ?? []).map(Number);
  return (r + g + b) / 3;
};

test('dark is dark and light is light', async (t) => {
  for (const [colorScheme, isRight] of /** @type {const} */ ([['light', (/** @type {number} */ l) => l > 200], ['dark', (/** @type {number} */ l) => l < 60]])) {
    const page = await open(t, { colorScheme });
    for (const path of ['/verify?app=demo', '/', '/dev/inbox', '/docs']) {
      await page.goto(base + path);
      const background = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
      assert.ok(isRight(lightness(background)), `${path} in ${colorScheme}: ${background}`);
    }
  }
});

/** Everything on a page that moves or would. @param {import('playwright-core').Page} page */
const moving = (page) => page.evaluate(() => [...document.querySelectorAll('*')].flatMap((e) => ['', '::after', '::before'].map((pseudo) => {
  const style = getComputedStyle(e, pseudo || null);
  const time = `${style.transitionDuration},${style.animationName === 'none' ? '0s' : style.animationDuration}`;
  return time.split(',').some((d) => parseFloat(d) > 0) ? `${e.tagName}.${e.className}${pseudo} ${time}` : '';
})).filter(Boolean));

test('nothing moves for those who asked for that', async (t) => {
  const busy = (/** @type {import('playwright-core').Page} */ page) => page.evaluate(() => {
    document.querySelector('form[method=post]')?.setAttribute('aria-busy', 'true');
  });
  const still = await open(t, { reducedMotion: 'reduce' });
  await still.goto(verifyURL());
  await busy(still);
  assert.deepEqual(await moving(still), []);
  for (const path of ['/', '/dev/inbox', '/docs']) {
    await still.goto(base + path);
    assert.deepEqual(await moving(still), [], path);
  }
  const lively = await open(t, { reducedMotion: 'no-preference' });
  await lively.goto(verifyURL());
  await busy(lively);
  assert.notDeepEqual(await moving(lively), [], 'the others see that something is going on');
});

/** What can be pressed and is smaller than it should be. @param {import('playwright-core').Page} page @param {number} least */
const small = (page, least) => page.evaluate((size) => [...document.querySelectorAll('a, button, input:not([type=hidden]), select, summary')].flatMap((e) => {
  const { width, height } = e.getBoundingClientRect();
  const shown = width > 0 && height > 0 && getComputedStyle(e).visibility === 'visible' && !e.matches('.skip');
  const inText = getComputedStyle(e).display === 'inline'; // excepted by WCAG 2.2, 2.5.8
  return shown && !inText && (width < size || height < size) ? [`${e.tagName} "${e.textContent?.trim()}" ${Math.round(width)}x${Math.round(height)}`] : [];
}), least);

test('targets are large', async (t) => {
  const page = await open(t);
  await page.goto(verifyURL());
  await page.locator('summary').click();
  assert.deepEqual(await small(page, 44), []);
  await start(page);
  assert.deepEqual(await small(page, 44), []);
  for (const path of ['/', '/dev/inbox', '/docs']) {
    await page.goto(base + path);
    assert.deepEqual(await small(page, 24), [], path);
  }
});
