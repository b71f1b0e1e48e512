import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { solve, type Challenge } from '../../src/browser.js';
import { search } from '../../src/search.js';
import { answer, approved, browser, memory, noAnswer, pending, play, problem } from './kit.js';

const sha = (text: string) => createHash('sha256').update(text).digest('hex');
const make = (number: number, salt = '0123456789abcdef?expires=1700000000&level=1&'): Challenge => ({ algorithm: 'SHA-256', challenge: sha(salt + number), maxnumber: 5_000, salt, signature: 'sig' });
const read = (response: unknown) => JSON.parse(atob(String(response))) as Challenge & { number: number };

describe('the proof of work', () => {
  // Every length of the salt that moves the padding: SHA-256 has another block from 56 bytes on.
  test.each([0, 1, 50, 51, 52, 53, 54, 55, 56, 60, 63, 64, 65, 118, 119, 120, 127, 128, 300])('a salt of %i bytes', (length) => {
    const salt = 'å'.repeat(length >> 1) + 'x'.repeat(length & 1);
    for (const number of [0, 9, 10, 4321]) expect(search({ salt, hash: sha(salt + number), from: 0, to: 5_000 })).toBe(number);
  });

  test('what is not there is not found', () => {
    expect(search({ salt: 's', hash: sha('s100'), from: 0, to: 100 })).toBeUndefined();
    expect(search({ salt: 's', hash: sha('s100'), from: 100, to: 101 })).toBe(100);
    for (const hash of ['', 'zz', sha('x').slice(1)]) expect(search({ salt: 's', hash, from: 0, to: 10 })).toBeUndefined();
  });

  test('is solved in the form that ALTCHA has', async () => {
    expect(read(await solve(make(1234)))).toEqual({ algorithm: 'SHA-256', challenge: make(1234).challenge, number: 1234, salt: make(0).salt, signature: 'sig' });
    await expect(solve({ ...make(1), algorithm: 'SHA-512' })).rejects.toMatchObject({ code: 'challenge_required' });
    await expect(solve({ ...make(1), challenge: sha('elsewhere') })).rejects.toMatchObject({ code: 'challenge_required' });
  });

  test('can be left', async () => {
    const stop = new AbortController();
    const done = solve({ ...make(1), challenge: sha('elsewhere'), maxnumber: 1e9 }, stop.signal).catch((e: unknown) => e);
    setTimeout(() => stop.abort(new Error('gone')), 20);
    expect(await done).toMatchObject({ message: 'gone' });
  });

  test('is done as often as it is asked for, and then no more', async () => {
    const work: boolean[] = [];
    const { fetch, asked } = play(problem(428, 'challenge_required', { challenge: make(7) }), problem(428, 'challenge_required', { challenge: make(8) }), answer(pending()));
    await browser(fetch).start({ to: '+1 415' }, { onWork: (w) => work.push(w), idempotencyKey: 'k' });
    expect(asked.map((a) => (a.body?.challenge_response ? read(a.body.challenge_response).number : undefined))).toEqual([undefined, 7, 8]);
    expect(asked.map((a) => a.key)).toEqual(['k', 'k', 'k']);
    expect(work).toEqual([true, false, true, false]);

    const lost = play(problem(428, 'challenge_required', { challenge: make(7) }), noAnswer(), answer(pending()));
    const c = browser(lost.fetch, { attempts: 1 });
    await expect(c.start({ to: '+1' }, { idempotencyKey: 'k' })).rejects.toMatchObject({ code: 'no_answer' });
    await c.start({ to: '+1' }, { idempotencyKey: 'k' });
    expect(lost.asked[2]?.body, 'the same attempt is the same request').toEqual(lost.asked[1]?.body);

    const always = Array.from({ length: 9 }, () => problem(428, 'challenge_required', { challenge: make(1) }));
    const endless = play(...always);
    await expect(browser(endless.fetch).send({ id: 'ver_1' })).rejects.toMatchObject({ code: 'challenge_required' });
    expect(endless.asked).toHaveLength(5);
  });
});

test('the device token is kept, and given back for its number only', async () => {
  const devices = memory();
  const { fetch, asked } = play(answer(approved({ device_token: 'dev_1' })), answer(pending()), answer(pending()), answer(approved()), answer(pending()));
  const c = browser(fetch, { devices });
  await c.check({ id: 'ver_1' }, ' ١٢٣ ٤٥٦ ');
  expect(asked[0]?.body).toEqual({ code: '123 456' });
  expect(JSON.stringify(devices.getItem('countersign.devices'))).not.toContain('4155550123');
  await c.start({ to: '+1 (415) 555-0123' });
  expect(asked[1]?.body).toMatchObject({ device_token: 'dev_1' });
  await c.start({ to: '+14155550124' });
  expect(asked[2]?.body).not.toHaveProperty('device_token');
  await c.check({ id: 'ver_1', to: '+14155550123' }, '123456');
  expect(asked[3]?.body).toEqual({ code: '123456', device_token: 'dev_1' });
  await browser(fetch, { devices, key: 'pk_other' }).start({ to: '+14155550123' });
  expect(asked[4]?.body).not.toHaveProperty('device_token');
});

test('a store that is full or broken is done without', async () => {
  const broken = { getItem: () => '{"x', setItem: () => { throw new Error('full'); }, removeItem: () => {} };
  const { fetch } = play(answer(pending()), answer(approved({ device_token: 'dev_1' })));
  const c = browser(fetch, { devices: broken });
  await c.start({ to: '+14155550123' });
  await c.check({ id: 'ver_1' }, '123456');
});

// "No dependency in the core" is a promise: these files and all that they import are our own.
test('the core imports nothing of others', async () => {
  const seen = new Set<string>();
  const walk = async (file: string): Promise<void> => {
    if (seen.has(file)) return;
    seen.add(file);
    const text = await readFile(new URL(`../../src/${file}.ts`, import.meta.url), 'utf8');
    for (const [, name] of text.matchAll(/(?:from|import\()\s*'([^']+)'/g)) {
      expect(name, file).toMatch(/^\.\.?\//);
      await walk(name!.replace(/^\.\//, '').replace(/\.js$/, ''));
    }
  };
  await walk('server');
  await walk('browser');
  expect(seen).toContain('flow');
});
