// Every operation of the OpenAPI document has a method. The tables below name every method of a class: a new one has to be
// added here, and must call something that the document has.

import { expect, test } from 'vitest';
import { CountersignBrowser } from '../../src/browser.js';
import type { Person } from '../../src/person.js';
import type { CookieSession } from '../../src/wire.js';
import { Sandbox } from '../../src/sandbox.js';
import { Countersign } from '../../src/server.js';

const { COUNTERSIGN_URL: url } = process.env;

type Calls<T, K extends keyof T = keyof T> = { [P in K]: (of: T) => unknown };

const server: Calls<Countersign, Exclude<keyof Countersign, 'as' | 'proofs'>> = {
  start: (c) => c.start({ to: '+1' }), get: (c) => c.get('id'), check: (c) => c.check('id', { code: '1' }), checkByPhone: (c) => c.checkByPhone({ to: '+1', code: '1' }),
  send: (c) => c.send('id'), cancel: (c) => c.cancel('id'), list: (c) => c.list(), all: (c) => c.all().next(), redeem: (c) => c.redeem({ proof: 'p' }), refresh: (c) => c.refresh('r'),
  endSession: (c) => c.endSession('t'), askPasskey: (c) => c.askPasskey(), me: (c) => c.me('t'), devices: (c) => c.devices('t'), endDevice: (c) => c.endDevice('t', 'id'),
  user: (c) => c.user('id'), lookupUser: (c) => c.lookupUser('+1'), eraseUser: (c) => c.eraseUser('id'), resetFactors: (c) => c.resetFactors('id'),
  explain: (c) => c.explain({ to: '+1' }), blocks: (c) => c.blocks(), liftBlock: (c) => c.liftBlock('id'), routes: (c) => c.routes(), keys: (c) => c.keys(),
  healthy: (c) => c.healthy(), ready: (c) => c.ready(),
};

const person: Calls<Person | Person<CookieSession>> = {
  me: (p) => p.me(), devices: (p) => p.devices(), endDevice: (p) => p.endDevice('id'), endOtherDevices: (p) => p.endOtherDevices(), endSession: (p) => p.endSession(),
  factors: (p) => p.factors(), addTOTP: (p) => p.addTOTP(), confirmFactor: (p) => p.confirmFactor('id', '1'), newRecoveryCodes: (p) => p.newRecoveryCodes(),
  removeFactor: (p) => p.removeFactor('id'), newPasskey: (p) => p.newPasskey(), addPasskey: (p) => p.addPasskey({ ceremony: 'c', credential: {} }), askPasskey: (p) => p.askPasskey(),
  stepUp: (p) => p.stepUp({ totp: '1' }), changeNumber: (p) => p.changeNumber({ proof: 'p' }), refresh: (p) => p.refresh(), start: (p) => p.start(), get: (p) => p.get('id'),
  check: (p) => p.check('id', '1'), send: (p) => p.send('id'),
};

const sandbox: Calls<Sandbox> = {
  inbox: (s) => s.inbox(), messages: (s) => s.messages(), emptyInbox: (s) => s.emptyInbox(), forgetLimits: (s) => s.forgetLimits(), advance: (s) => s.advance('1s'),
  carrier: (s) => s.carrier(), setCarrier: (s) => s.setCarrier(), clearCarrier: (s) => s.clearCarrier(),
};

/** What the browser client calls by itself; its passkeys go by the person's calls, once a device has answered. */
const browser: Calls<CountersignBrowser, 'start' | 'check' | 'send' | 'get' | 'redeem'> = {
  start: (c) => c.start({ to: '+1' }), check: (c) => c.check({ id: 'id' }, '1'), send: (c) => c.send({ id: 'id' }), get: (c) => c.get('id'), redeem: (c) => c.redeem({ proof: 'p' }),
};

interface Document { paths: Record<string, Record<string, unknown>> }

/** The operations of a document, and the one that a request is: of several, the one with the fewest variables. */
function operationsOf({ paths }: Document) {
  const list = Object.entries(paths).flatMap(([path, methods]) => Object.keys(methods).filter((m) => /^(get|put|post|patch|delete)$/.test(m)).map((method) => ({
    name: `${method.toUpperCase()} ${path}`, variables: path.split('{').length, matches: new RegExp(`^${method.toUpperCase()} ${path.replaceAll('.', '\\.').replace(/\{\w+\}/g, '[^/]+')}$`),
  })));
  return { all: list.map((o) => o.name), find: (asked: string) => list.filter((o) => o.matches.test(asked)).sort((a, b) => a.variables - b.variables)[0]?.name };
}

test('every operation has a method, and every method an operation', async () => {
  const operations = operationsOf(await (await fetch(`${url}/openapi.json`)).json() as Document);
  expect(operations.all.length).toBeGreaterThan(40);
  let asked: string[] = [];
  const recording: typeof fetch = async (input, init) => {
    asked.push(`${init?.method} ${new URL(String(input)).pathname}`);
    return new Response('{}', { headers: { 'content-type': 'application/json' } });
  };
  const options = { url: url!, fetch: recording };
  const c = new Countersign({ ...options, key: 'sk_x' });
  const page = new CountersignBrowser({ ...options, key: 'pk_x', devices: null });
  const reached = new Set<string>();
  const run = async <T extends object>(of: T, calls: { [K in keyof T]?: (of: T) => unknown }, ...others: (keyof T)[]) => {
    const all = Object.getOwnPropertyNames(Object.getPrototypeOf(of)).filter((name) => name !== 'constructor');
    expect([...Object.keys(calls), ...others].sort()).toEqual(all.sort());
    for (const [name, call] of Object.entries(calls) as [string, (of: T) => unknown][]) {
      asked = [];
      await Promise.resolve().then(() => call(of)).catch(() => {}); // an empty answer is no good one
      expect(asked, name).toHaveLength(1);
      const operation = operations.find(asked[0]!);
      expect(operation, `${name}: ${asked[0]}`).toBeDefined();
      reached.add(operation!);
    }
  };
  await run(c, server, 'as', 'proofs');
  await run(c.as('t'), person);
  await run(page.as(), person);
  await run(new Sandbox(options), sandbox);
  expect([...reached].sort()).toEqual(operations.all.sort());
  await run(page, browser, 'as', 'loginWithPasskey', 'createPasskey', 'stepUpWithPasskey');
});
