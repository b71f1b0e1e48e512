// What the pages cost and what they keep away: bytes, other origins, and scripts that are not theirs.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { base, catchReturns, open, start, verifyURL, withReturn } from './sandbox.mjs';

const most = 30 * 1024;

/**
 * Counts the bytes that come over the wire, headers included, with nothing cached.
 * @param {import('playwright-core').Page} page
 * @returns {Promise<{bytes: number, files: string[]}>} what came, as it comes
 */
async function meter(page) {
  const cdp = await page.context().newCDPSession(page);
  await cdp.send('Network.enable');
  await cdp.send('Network.setCacheDisabled', { cacheDisabled: true });
  const total = { bytes: 0, files: /** @type {string[]} */ ([]) };
  cdp.on('Network.responseReceived', (e) => total.files.push(e.response.url));
  cdp.on('Network.loadingFinished', (e) => { total.bytes += e.encodedDataLength; });
  return total;
}

for (const lang of ['en', 'ar', 'hi', 'ja']) {
  test(`the hosted page in ${lang} is at most 30 KiB with all it needs`, async (t) => {
    const page = await open(t);
    const total = await meter(page);
    await page.goto(verifyURL({ ...withReturn, lang }), { waitUntil: 'networkidle' });
    t.diagnostic(`phone form, ${lang}: ${total.bytes} bytes`);
    assert.ok(total.files.some((f) => f.endsWith('.css')) && total.files.some((f) => f.endsWith('.js')), 'all of it was counted');
    assert.ok(total.bytes > 5000 && total.bytes <= most, `${total.bytes} bytes`);
    await start(page, { lang });
    total.bytes = 0;
    await page.reload({ waitUntil: 'networkidle' });
    assert.ok(total.bytes <= most, `${total.bytes} bytes`);
  });
}

test('assets are kept for ever, pages never', async (t) => {
  const page = await open(t);
  /** @type {Map<string, string>} */
  const cached = new Map();
  page.on('response', (answer) => cached.set(new URL(answer.url()).pathname, answer.headers()['cache-control'] ?? ''));
  for (const path of ['/', '/dev/inbox', '/docs', '/verify?app=demo']) await page.goto(base + path, { waitUntil: 'load' });
  for (const [path, control] of cached) {
    if (path.startsWith('/static/')) assert.match(control, /max-age=31536000, immutable/, path);
    else if (path === '/verify') assert.equal(control, 'no-store', path);
  }
  assert.ok([...cached.keys()].filter((path) => path.startsWith('/static/')).length >= 5);
});

/** @param {import('playwright-core').Page} page @returns {Promise<string[]>} */
async function violations(page) {
  /** @type {string[]} */
  const seen = [];
  await page.exposeFunction('violated', (/** @type {string} */ what) => seen.push(what));
  await page.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (e) => {
      /** @type {any} */ (window).violated(`${e.effectiveDirective} ${e.blockedURI}`);
    });
  });
  return seen;
}

test('no page breaks its own policy', async (t) => {
  const page = await open(t);
  const seen = await violations(page);
  const posted = await catchReturns(page);
  const { code } = await start(page, withReturn);
  await page.locator('#code').fill(code);
  await page.locator('#app').waitFor();
  assert.equal(posted.length, 1);
  for (const path of ['/', '/dev/inbox', '/docs']) await page.goto(base + path, { waitUntil: 'load' });
  assert.deepEqual(seen, []);
});

test('the policy stops what a page was made to hold', async (t) => {
  for (const path of ['/verify?app=demo', '/', '/dev/inbox', '/docs']) {
    // Not opened by the shared way: what is refused here is reported as a fault there.
    const page = await (await open(t)).context().newPage();
    const seen = await violations(page);
    await page.goto(base + path);
    await page.evaluate(() => {
      const script = document.createElement('script');
      script.textContent = 'window.owned = true';
      document.body.append(script);
      document.body.setAttribute('style', 'color: red');
      new Image().src = 'https://elsewhere.example/x.png';
      fetch('https://elsewhere.example/').catch(() => {});
    });
    await page.waitForFunction(() => true);
    for (let tries = 0; seen.length < 4 && tries < 100; tries++) await page.evaluate(() => new Promise(requestAnimationFrame));
    assert.equal(await page.evaluate('window.owned'), undefined);
    for (const directive of ['script-src', 'style-src', 'img-src', 'connect-src']) {
      assert.ok(seen.some((v) => v.startsWith(directive)), `${path}: ${directive} in ${seen}`);
    }
  }
});

test('no page can be framed', async (t) => {
  const page = await (await open(t)).context().newPage();
  for (const path of ['/verify?app=demo', '/', '/dev/inbox', '/docs']) {
    await page.setContent(`<iframe src="${base}${path}"></iframe>`);
    await page.waitForFunction(() => true);
    const [, frame] = page.frames();
    await frame.waitForURL(/^chrome-error:/);
  }
});
