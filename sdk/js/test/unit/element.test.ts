// @vitest-environment jsdom
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { CountersignVerify, type ApprovedDetail } from '../../src/element.js';
import { answer, approved, browser, pending, play, problem, type Reply } from './kit.js';

beforeEach(() => sessionStorage.clear());
afterEach(() => document.body.replaceChildren());

async function show(replies: Reply[], attributes: Record<string, string> = {}) {
  const { fetch, asked } = play(...replies);
  const element = document.createElement('countersign-verify');
  element.client = browser(fetch, { attempts: 1, devices: null });
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.innerHTML = '<a href="/verify">Without scripts</a>';
  document.body.append(element);
  await vi.waitFor(() => { if (!element.querySelector('form')) throw new Error('not drawn'); });
  return { element, asked };
}

const find = <T extends HTMLElement = HTMLInputElement>(selector: string): T => {
  const e = document.querySelector<T>(selector);
  if (!e) throw new Error(`no ${selector} in ${document.body.innerHTML}`);
  return e;
};

async function sendCode(): Promise<void> {
  find('input[type=tel]').value = '+1 415 555 0123';
  find('.cs-go').click();
  await vi.waitFor(() => find('input[name=code]'));
}

function enter(code: string): void {
  find('input[name=code]').value = code;
  find('input[name=code]').dispatchEvent(new InputEvent('input', { bubbles: true }));
}

test('from a number to an event with the proof', async () => {
  const { element, asked } = await show([answer(pending()), answer(approved())], { purpose: 'signup', region: 'US', 'proof-nonce': 'n-1' });
  expect(element).toBeInstanceOf(CountersignVerify);
  expect(element.textContent).not.toContain('Without scripts');
  const event = new Promise<ApprovedDetail>((resolve) => { document.addEventListener('countersign-approved', (e) => resolve((e as CustomEvent<ApprovedDetail>).detail), { once: true }); });
  await sendCode();
  expect(asked[0]?.body).toEqual({ to: '+1 415 555 0123', purpose: 'signup', region: 'US', nonce: 'n-1' });
  const field = find('input');
  expect([field.getAttribute('autocomplete'), field.getAttribute('inputmode'), document.querySelectorAll('input').length]).toEqual(['one-time-code', 'numeric', 1]);
  expect(document.activeElement).toBe(field);
  enter('<#> Your code is 123456');
  expect(await event).toMatchObject({ proof: 'a.b.c', verification: { status: 'approved' } });
  await vi.waitFor(() => expect(element.textContent).toContain('Phone number verified'));
});

test('says what is wrong, and starts again', async () => {
  await show([answer(pending()), problem(422, 'incorrect_code', { checks_left: 3 }), problem(410, 'verification_expired')]);
  await sendCode();
  enter('111111');
  await vi.waitFor(() => expect(find('.cs-problem').textContent).toContain('Attempts left: 3'));
  expect(find('input').getAttribute('aria-invalid')).toBe('true');
  expect(find('input').value).toBe('');
  enter('222222');
  await vi.waitFor(() => expect(find('.cs-go').textContent).toBe('Start again'));
  expect(find('.cs-problem').textContent).toContain('expired');
  find('.cs-go').click();
  expect(find('input[type=tel]').value).toBe('+1 415 555 0123');
});

test('posts the proof where it is told to', async () => {
  const submit = vi.spyOn(HTMLFormElement.prototype, 'submit').mockImplementation(() => {});
  const { element } = await show([answer(pending()), answer(approved())], { action: '/verified', state: 's&1' });
  await sendCode();
  enter('123456');
  await vi.waitFor(() => expect(submit).toHaveBeenCalledOnce());
  const form = element.querySelector<HTMLFormElement>('form[method=post]')!;
  expect([form.getAttribute('action'), [...new FormData(form)]]).toEqual(['/verified', [['proof', 'a.b.c'], ['state', 's&1']]]);
  submit.mockRestore();
});

test('is never read as HTML', async () => {
  const { element } = await show([answer(pending({ to: '<img src=x onerror=alert(1)>' }))], { payee: '<img src=x>', amount: '1', currency: 'EUR' });
  await sendCode();
  expect(element.querySelector('img')).toBeNull();
  expect(element.textContent).toContain('<img src=x>');
});

test('takes up what was pending, and leaves no clock behind', async () => {
  sessionStorage.setItem('countersign.pending.login', 'ver_1');
  const { element, asked } = await show([answer(pending())]);
  await vi.waitFor(() => find('input[name=code]'));
  expect(asked[0]).toMatchObject({ method: 'GET', path: '/v1/verifications/ver_1' });
  const clear = vi.spyOn(globalThis, 'clearInterval');
  element.remove();
  expect(clear).toHaveBeenCalledOnce();
});
