// The browser of the tests and of the pictures, and what can be in it.

import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';

// Without the code for windows it is the same engine, for half the CPU.
const found = ['/usr/bin/chromium-headless-shell', '/usr/bin/chromium'].find((path) => existsSync(path));

export const launch = () => chromium.launch({
  executablePath: process.env.CHROMIUM ?? found,
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});

/**
 * Puts an authenticator that has its person beside it into a browser, for passkeys.
 * @param {import('playwright-core').Page} page
 * @param {{ without?: boolean }} [options]
 */
export async function authenticator(page, { without } = {}) {
  const cdp = await page.context().newCDPSession(page);
  await cdp.send('WebAuthn.enable');
  let id = '';
  if (!without) {
    ({ authenticatorId: id } = await cdp.send('WebAuthn.addVirtualAuthenticator', { options: {
      protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true,
    } }));
  }
  // A device that answers by itself would log in by the autofill at once: there is one where it is meant.
  const autofill = { works: false };
  await page.exposeFunction('autofillWorks', () => autofill.works);
  await page.addInitScript(() => { if (window.PublicKeyCredential) PublicKeyCredential.isConditionalMediationAvailable = /** @type {any} */ (window).autofillWorks; });
  return { cdp, id, autofill };
}
