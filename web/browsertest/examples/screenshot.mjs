// Writes docs/screenshot-nextjs.png: the shop's sign-up, its second factor and its payment, on a phone; then the picture of
// the hosted page. `make screenshots` runs it.

import { fileURLToPath } from 'node:url';
import { authenticator, launch } from '../browser.mjs';

const { BASE_URL: base, EXAMPLE_URL: example, SECRET_KEY: key = 'sk_sandbox_demo' } = process.env;
const number = '+14155550123';
const size = { width: 420, height: 700 };

const forget = () => fetch(`${base}/dev/limits`, { method: 'DELETE', headers: { Authorization: `Bearer ${key}` } });
const inbox = async () => (await (await fetch(`${base}/dev/inbox.json`)).json()).messages.filter((m) => m.code !== '');

const browser = await launch();
try {
  const context = await browser.newContext({ viewport: size, deviceScaleFactor: 2, locale: 'en-US', colorScheme: 'light', reducedMotion: 'reduce' });
  const page = await context.newPage();
  await authenticator(page);
  const shots = [];
  const shoot = async () => shots.push((await page.screenshot()).toString('base64'));
  /** Sends a code from one of the pages, and gives it. */
  const send = async (path, phone) => {
    await forget();
    const seen = (await inbox()).length;
    await page.goto(example + path, { waitUntil: 'networkidle' });
    if (phone) await page.getByLabel('Phone number').fill(phone);
    await page.getByRole('button', { name: 'Send code' }).click();
    await page.getByLabel('Code').waitFor();
    for (;;) {
      const messages = await inbox();
      if (messages.length > seen) return messages[0].code;
    }
  };

  const code = await send('/signup', number);
  await shoot();
  await page.getByLabel('Code').fill(code);
  await page.getByText('Signed in as').waitFor();
  await page.getByLabel('Code').fill(await send('/security'));
  await page.getByRole('button', { name: 'Add a passkey' }).click();
  await page.getByText('The passkey is added.').waitFor();
  await page.getByRole('button', { name: 'New recovery codes' }).click();
  await page.getByRole('button', { name: 'I have written them down' }).click();
  await page.getByText('10 left').waitFor();
  await shoot();
  await page.emulateMedia({ colorScheme: 'dark' });
  await send('/pay/17');
  await shoot();

  const sheet = await context.newPage();
  await sheet.setViewportSize({ width: 3 * size.width, height: size.height });
  await sheet.setContent(`<style>body { margin: 0; display: flex; } img { width: ${size.width}px; height: ${size.height}px; }</style>${shots.map((s) => `<img src="data:image/png;base64,${s}">`).join('')}`);
  await sheet.screenshot({ path: fileURLToPath(new URL('../../../docs/screenshot-nextjs.png', import.meta.url)) });
} finally {
  await browser.close();
}
await import('../screenshot.mjs');
