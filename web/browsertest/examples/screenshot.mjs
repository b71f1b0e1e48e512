// Writes docs/screenshot-nextjs.png: the shop's sign-up and its payment. `make screenshots` runs it.

import { fileURLToPath } from 'node:url';
import { launch } from '../browser.mjs';

const { BASE_URL: base, EXAMPLE_URL: example, SECRET_KEY: key = 'sk_sandbox_demo' } = process.env;

const forget = () => fetch(`${base}/dev/limits`, { method: 'DELETE', headers: { Authorization: `Bearer ${key}` } });

const browser = await launch();
try {
  const context = await browser.newContext({ viewport: { width: 520, height: 640 }, deviceScaleFactor: 2, locale: 'en-US', colorScheme: 'light', reducedMotion: 'reduce' });
  const page = await context.newPage();
  const number = '+14155550123';
  const send = async () => {
    await page.getByRole('button', { name: 'Send code' }).click();
    await page.getByLabel('Code').waitFor();
  };
  const shots = [];
  const shoot = async () => shots.push((await page.screenshot()).toString('base64'));

  await forget();
  await page.goto(`${example}/signup`, { waitUntil: 'networkidle' });
  await page.getByLabel('Phone number').fill(number);
  await send();
  await shoot();
  const { messages } = await (await fetch(`${base}/dev/inbox.json`)).json();
  await page.getByLabel('Code').fill(messages[0].code);
  await page.getByText('Signed in as').waitFor();
  await forget();
  await page.goto(`${example}/pay/17`, { waitUntil: 'networkidle' });
  await send();
  await shoot();

  const sheet = await context.newPage();
  await sheet.setViewportSize({ width: 1040, height: 640 });
  await sheet.setContent(`<style>body { margin: 0; display: flex; } img { width: 520px; height: 640px; }</style>${shots.map((s) => `<img src="data:image/png;base64,${s}">`).join('')}`);
  await sheet.screenshot({ path: fileURLToPath(new URL('../../../docs/screenshot-nextjs.png', import.meta.url)) });
} finally {
  await browser.close();
}
