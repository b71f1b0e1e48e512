// The sandbox's own pages: an inbox like a phone, commands to copy, and the reference.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { base, open, start } from './sandbox.mjs';

const clipboard = { permissions: ['clipboard-read', 'clipboard-write'] };

test('a message appears by itself', async (t) => {
  const inbox = await open(t);
  await inbox.goto(`${base}/dev/inbox`);
  const { number, code } = await start(await open(t));
  const message = inbox.locator(`[data-to="${number}"]`);
  await message.waitFor();
  assert.match(await message.locator('.bubble').innerText(), new RegExp(code));
  assert.equal(await inbox.locator('#messages > li').first().getAttribute('data-to'), number, 'the newest is on top');
  assert.equal(await inbox.locator('#news').innerText(), `New message to ${number}`);
});

test('a message appears where there is no stream of events', async (t) => {
  const inbox = await open(t);
  await inbox.route('**/dev/inbox/events', (route) => route.fulfill({ status: 404, body: 'no' }));
  await inbox.goto(`${base}/dev/inbox`);
  const { number } = await start(await open(t));
  await inbox.locator(`[data-to="${number}"]`).waitFor();
});

test('without script the inbox is loaded again by hand', async (t) => {
  const inbox = await open(t, { javaScriptEnabled: false });
  await inbox.goto(`${base}/dev/inbox`);
  const { number, code } = await start(await open(t));
  await inbox.getByRole('link', { name: 'Load again' }).click();
  const message = inbox.locator(`[data-to="${number}"]`);
  await message.waitFor();
  assert.equal(await message.locator('.take code').innerText(), code);
});

test('the inbox can be that of one number', async (t) => {
  const page = await open(t);
  const { number } = await start(page);
  await start(page);
  await page.goto(`${base}/dev/inbox?to=${encodeURIComponent(number)}`);
  const shown = await page.locator('#messages > li').evaluateAll((all) => all.map((e) => e.getAttribute('data-to')));
  assert.deepEqual(shown, [number]);
});

test('a code is copied with one press', async (t) => {
  const page = await open(t, clipboard);
  const { number, code } = await start(page);
  await page.goto(`${base}/dev/inbox`);
  const button = page.locator(`[data-to="${number}"] .copy`);
  await button.click();
  await page.getByText('Copied').first().waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), code);
});

test('the inbox can be emptied', async (t) => {
  const page = await open(t);
  await start(page);
  await page.goto(`${base}/dev/inbox`);
  await page.locator('#messages > li').first().waitFor();
  await page.getByRole('button', { name: 'Empty' }).click();
  await page.getByText('No messages yet').waitFor();
  assert.equal(await page.locator('#messages > li').count(), 0);
});

test('the start page leads on, and its commands can be copied', async (t) => {
  const page = await open(t, clipboard);
  await page.goto(base);
  await page.locator('.code .copy').first().click();
  await page.getByText('Copied').first().waitFor();
  assert.match(await page.evaluate(() => navigator.clipboard.readText()), /^curl -s http\S+\/v1\/verifications \\\n/);
  for (const [name, path] of [['Hosted page', '/verify'], ['Inbox', '/dev/inbox'], ['API reference', '/docs']]) {
    await page.goto(base);
    await page.locator('.cards').getByRole('link', { name }).click();
    await page.waitForURL((url) => url.pathname === path);
    await page.locator('h1').waitFor();
  }
});

test('the reference shows every call that the API describes', async (t) => {
  const page = await open(t);
  await page.goto(`${base}/docs`);
  const { paths } = await (await fetch(`${base}/openapi.json`)).json();
  const described = Object.entries(paths).flatMap(([path, item]) => ['get', 'post', 'put', 'patch', 'delete']
    .filter((method) => method in /** @type {object} */ (item)).map((method) => `${method.toUpperCase()} ${path}`));
  const shown = await page.locator('.operation .route').allInnerTexts();
  assert.deepEqual(shown.map((s) => s.replace(/\s+/, ' ')).sort(), described.sort());
  assert.ok(shown.length > 0);
  const links = await page.locator('.side li a').evaluateAll((all) => all.map((a) => a.getAttribute('href') ?? ''));
  for (const link of links) assert.equal(await page.locator(`[id="${link.slice(1)}"]`).count(), 1, link);
});
