// Writes docs/screenshot.png: the hosted page's code form beside the sandbox's inbox, from a running sandbox.
//
//	BASE_URL=http://127.0.0.1:8080 node screenshot.mjs [FILE]

import { fileURLToPath } from 'node:url';
import { launch } from './browser.mjs';

const base = (process.env.BASE_URL ?? 'http://127.0.0.1:8080').replace(/\/$/, '');
const file = process.argv[2] ?? fileURLToPath(new URL('../../docs/screenshot.png', import.meta.url));
const headers = { Authorization: `Bearer ${process.env.SECRET_KEY ?? 'sk_sandbox_demo'}` };

const browser = await launch();
try {
  const context = await browser.newContext({
    viewport: { width: 660, height: 960 }, deviceScaleFactor: 2, locale: 'en-US', timezoneId: 'UTC', colorScheme: 'light', reducedMotion: 'reduce',
  });
  await fetch(`${base}/dev/limits`, { method: 'DELETE', headers });
  await fetch(`${base}/dev/inbox.json`, { method: 'DELETE', headers });

  const hosted = await context.newPage();
  for (const number of ['+12025550143', '+14155550187', '+14155550123']) {
    await hosted.goto(`${base}/verify?app=demo`);
    await hosted.locator('#phone').fill(number);
    await hosted.locator('form[method=post] .go').click();
    await hosted.locator('#code').waitFor();
  }

  const inbox = await context.newPage();
  await inbox.goto(`${base}/dev/inbox`);
  await inbox.locator('#messages > li').nth(2).waitFor();

  const shots = [];
  for (const page of [hosted, inbox]) shots.push((await page.screenshot()).toString('base64'));
  const sheet = await context.newPage();
  await sheet.setViewportSize({ width: 1320, height: 960 });
  await sheet.setContent(`<style>body { margin: 0; display: flex; } img { width: 660px; height: 960px; }</style>${
    shots.map((shot) => `<img src="data:image/png;base64,${shot}">`).join('')}`);
  await sheet.screenshot({ path: file });
} finally {
  await browser.close();
}
