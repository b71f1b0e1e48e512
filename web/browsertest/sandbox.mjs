// What the tests share: a browser, and the sandbox under test as a person with a phone sees it.

import { AxeBuilder } from '@axe-core/playwright';
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { after, before } from 'node:test';
import { launch } from './browser.mjs';

/** The server under test: a sandbox with the app "demo". */
export const base = (process.env.BASE_URL ?? 'http://127.0.0.1:8080').replace(/\/$/, '');

/** One of the app's return addresses. Nobody need listen there: the browser's request is caught. */
export const returnURL = process.env.RETURN_URL ?? 'http://127.0.0.1:3000/verified';

/** The example beside it, whose pages talk to the server. */
export const example = process.env.EXAMPLE_URL ?? '';

const secretKey = process.env.SECRET_KEY ?? 'sk_sandbox_demo';

/** @type {import('playwright-core').Browser} */
let browser;
before(async () => { browser = await launch(); });
after(() => browser.close());

/**
 * Opens a page in a browser of its own, and fails the test at its end if the page did what none may: asked another
 * origin for something, broke its policy, or threw.
 * @param {import('node:test').TestContext} t
 * @param {import('playwright-core').BrowserContextOptions} [options]
 */
export async function open(t, options = {}) {
  const context = await browser.newContext({ viewport: { width: 390, height: 844 }, locale: 'en-US', ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  const faults = watch(page);
  t.after(async () => {
    await context.close();
    assert.deepEqual(faults, []);
  });
  return page;
}

/**
 * @param {import('playwright-core').Page} page
 * @returns {string[]} what the page did wrong, as it happens
 */
export function watch(page) {
  /** @type {string[]} */
  const faults = [];
  page.on('request', (request) => {
    const { origin, protocol } = new URL(request.url());
    if (protocol.startsWith('http') && origin !== base && origin !== example && request.url() !== returnURL) faults.push(`asked ${origin}`);
  });
  page.on('pageerror', (error) => faults.push(`threw ${error.message}`));
  page.on('console', (message) => {
    // The browser reports every answer that is not a 2xx, and some are meant not to be.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) faults.push(message.text());
  });
  return faults;
}

/**
 * @param {string} method
 * @param {string} path
 * @param {unknown} [body]
 */
async function call(method, path, body, key = secretKey) {
  const answer = await fetch(base + path, {
    method,
    headers: { Authorization: `Bearer ${key}`, ...(body ? { 'Content-Type': 'application/json' } : {}) },
    body: body && JSON.stringify(body),
  });
  assert.ok(answer.ok, `${method} ${path} = ${answer.status}`);
  return answer;
}

const rules = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

/**
 * Judges a page by the rules of WCAG 2.2 A and AA that a program can judge, and by those that axe calls best practice.
 * @param {import('playwright-core').Page} page
 * @param {string} name
 */
export async function judge(page, name) {
  const { violations, passes } = await new AxeBuilder({ page }).withTags(rules).analyze();
  assert.ok(passes.length > 10, `${name}: axe did look`);
  assert.deepEqual(violations.map(told), [], name);
}

/**
 * Judges a page, and then its colours in the dark: the two schemes are one document in other colours.
 * @param {import('playwright-core').Page} page
 * @param {string} name
 */
export async function judgeBoth(page, name) {
  await judge(page, name);
  await page.emulateMedia({ colorScheme: 'dark' });
  const { violations, passes } = await new AxeBuilder({ page }).withRules(['color-contrast']).analyze();
  await page.emulateMedia({ colorScheme: 'light' });
  assert.ok(passes.length > 0, `${name}, dark: axe did look`);
  assert.deepEqual(violations.map(told), [], `${name}, dark`);
}

/** @param {import('axe-core').Result} violation */
const told = (violation) => `${violation.id}: ${violation.nodes.map((node) => node.html).join(' ')}`;

/** Makes the server forget whom it has counted. */
export const forget = () => call('DELETE', '/dev/limits');

/** Lets the server's time pass. @param {number} seconds */
export const advance = (seconds) => call('POST', '/dev/clock', { advance: `${seconds}s` });

/** The messages to a number, newest first. @param {string} number @returns {Promise<{text: string, code: string}[]>} */
export async function inbox(number) {
  const answer = await call('GET', `/dev/inbox.json?to=${encodeURIComponent(number)}`);
  return (await answer.json()).messages;
}

/** Those of them that carry a code; others say what happened to an account. @param {string} number */
export const codes = async (number) => (await inbox(number)).filter((message) => message.code !== '');

let next = 1000 + Math.floor(Math.random() * 8000);

/** A number that nobody used before, and that does not fail on purpose. */
export function newNumber() {
  next = next === 9999 ? 1000 : next + 1;
  return `+1415555${next}`;
}

/**
 * What an authenticator app shows in a half minute (RFC 6238).
 * @param {string} secret in base 32
 * @param {number} step
 */
export function totp(secret, step) {
  const bits = [...secret].map((c) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(c).toString(2).padStart(5, '0')).join('');
  const key = Buffer.from((bits.match(/.{8}/g) ?? []).map((b) => parseInt(b, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(step));
  const mac = createHmac('sha1', key).update(counter).digest();
  return String((mac.readUInt32BE((mac.at(-1) ?? 0) & 15) & 0x7fffffff) % 1e6).padStart(6, '0');
}

/**
 * Makes a user who has an authenticator app, over the API.
 * @param {string} number
 * @returns {Promise<string>} the app's secret
 */
export async function withApp(number) {
  const post = async (/** @type {string} */ path, /** @type {object} */ body, key = secretKey) => (await call('POST', path, body, key)).json();
  await forget();
  const { id } = await post('/v1/verifications', { to: number });
  const { proof } = await post(`/v1/verifications/${id}/checks`, { code: await codeOf(number) });
  const { access_token: token } = await post('/v1/sessions', { proof });
  const { id: factor, secret, expires_at: end } = await post('/v1/me/factors/totp', {}, token);
  const now = Date.parse(end) - 600_000; // of the server, whose clock may be turned
  await post(`/v1/me/factors/${factor}/confirm`, { code: totp(secret, Math.floor(now / 30_000)) }, token);
  return secret;
}

/** The address of the hosted page. @param {Record<string, string>} [query] */
export const verifyURL = (query = {}) => `${base}/verify?${new URLSearchParams({ app: 'demo', ...query })}`;

/** What an app asks for that wants the proof back. */
export const withReturn = { return_url: returnURL, state: 'state & "quotes"', nonce: 'nonce-1' };

/**
 * Goes to the code form with a number of its own.
 * @param {import('playwright-core').Page} page
 * @param {Record<string, string>} [query]
 * @returns {Promise<{number: string, code: string}>}
 */
export async function start(page, query = {}) {
  await call('DELETE', '/dev/limits');
  const number = newNumber();
  await page.goto(verifyURL(query));
  await page.locator('#phone').fill(number);
  await page.locator('form[method=post] .go').click();
  await page.locator('#code').waitFor();
  return { number, code: await codeOf(number) };
}

/**
 * The newest code that was sent to a number, once it has come.
 * @param {string} number
 * @param {number} [seen] how many codes came before it
 */
export async function codeOf(number, seen = 0) {
  for (const end = Date.now() + 60_000; Date.now() < end;) {
    const messages = await codes(number);
    if (messages.length > seen) return messages[0].code;
    await new Promise((resolve) => { setTimeout(resolve, 50); });
  }
  throw new Error('no message came');
}

/** Uses up what this machine's address may start without a proof of work. */
export async function crowd() {
  for (;;) {
    const answer = await fetch(`${base}/v1/verifications`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${secretKey}`, 'Content-Type': 'application/json' },
      body: JSON.stringify({ to: newNumber(), wait: false, client: { ip: '127.0.0.1' } }),
    });
    if (answer.status === 428) return;
    assert.equal(answer.status, 201);
  }
}

/** Uses up a phone's guesses, as a stranger would. @param {string} number */
export async function lockOut(number) {
  const post = (/** @type {string} */ path, /** @type {unknown} */ body) => fetch(base + path, {
    method: 'POST', headers: { Authorization: `Bearer ${secretKey}`, 'Content-Type': 'application/json' }, body: JSON.stringify(body),
  });
  for (let rounds = 0; rounds < 10; rounds++) {
    await advance(11 * 60);
    const begun = await post('/v1/verifications', { to: number });
    if (begun.status === 429) return;
    const { id } = await begun.json();
    const guess = wrong(await codeOf(number));
    for (let answer = begun; answer.status === 201 || answer.status === 422;) answer = await post(`/v1/verifications/${id}/checks`, { code: guess });
  }
  throw new Error('the phone was not locked');
}

/** A code of the same length that is not the right one. @param {string} code */
export const wrong = (code) => code.replace(/.$/, (last) => String((Number(last) + 1) % 10));

/**
 * Catches what is posted to the app.
 * @param {import('playwright-core').Page} page
 * @returns {Promise<URLSearchParams[]>} what came, as it comes
 */
export async function catchReturns(page) {
  /** @type {URLSearchParams[]} */
  const posted = [];
  await page.route(returnURL, (route) => {
    posted.push(new URLSearchParams(route.request().postData() ?? ''));
    return route.fulfill({ contentType: 'text/html', body: '<!doctype html><title>The app</title><p id="app">Welcome back.' });
  });
  return posted;
}

/**
 * Counts the forms that are sent to the hosted page.
 * @param {import('playwright-core').Page} page
 * @returns {URLSearchParams[]}
 */
export function sentForms(page) {
  /** @type {URLSearchParams[]} */
  const sent = [];
  page.on('request', (request) => {
    if (request.method() === 'POST' && new URL(request.url()).pathname === '/verify') sent.push(new URLSearchParams(request.postData() ?? ''));
  });
  return sent;
}
