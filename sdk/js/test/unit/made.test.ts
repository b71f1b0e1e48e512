// What is made by a script is what the script makes now.

import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const here = (path: string) => new URL(`../../${path}`, import.meta.url).pathname;

test('the texts are those of the hosted page', async () => {
  const made = await mkdtemp(`${tmpdir()}/texts-`);
  try {
    await promisify(execFile)(process.execPath, [here('scripts/texts.mjs'), made]);
    const files = await readdir(made);
    expect(files.sort()).toEqual((await readdir(here('src/texts'))).sort());
    expect(files.length).toBeGreaterThan(5);
    for (const file of files) expect(await readFile(`${made}/${file}`, 'utf8'), `run: node scripts/texts.mjs`).toBe(await readFile(here(`src/texts/${file}`), 'utf8'));
  } finally {
    await rm(made, { recursive: true });
  }
});
