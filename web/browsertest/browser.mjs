// The browser of the tests and of the pictures.

import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';

// Without the code for windows it is the same engine, for half the CPU.
const found = ['/usr/bin/chromium-headless-shell', '/usr/bin/chromium'].find((path) => existsSync(path));

export const launch = () => chromium.launch({
  executablePath: process.env.CHROMIUM ?? found,
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});
