// @vitest-environment jsdom
import { act, createElement as h } from 'react';
import { createRoot, type Root } from 'react-dom/client';
import { renderToString } from 'react-dom/server';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Verification, VerificationForm, loadTexts, type VerificationFormProps, type VerificationHook } from '../../src/react.js';
import { answer, approved, browser, memory, pending, play, problem, type Reply } from './kit.js';

let root: Root;
let place: HTMLElement;
beforeEach(() => {
  (globalThis as Record<string, unknown>).IS_REACT_ACT_ENVIRONMENT = true;
  place = document.body.appendChild(document.createElement('main'));
  root = createRoot(place);
});
afterEach(async () => {
  await act(async () => root.unmount());
  place.remove();
});

async function show(replies: Reply[], props: Partial<VerificationFormProps> = {}) {
  const { fetch, asked } = play(...replies);
  const all = { client: browser(fetch, { attempts: 1, devices: null }), storage: memory(), appName: 'Shop', ...props };
  await act(async () => root.render(h(VerificationForm, all)));
  return { asked };
}

const find = <T extends HTMLElement = HTMLInputElement>(selector: string): T => {
  const e = place.querySelector<T>(selector);
  if (!e) throw new Error(`no ${selector} in ${place.innerHTML}`);
  return e;
};

async function type(selector: string, text: string): Promise<void> {
  await act(async () => {
    const field = find(selector);
    Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value')!.set!.call(field, text);
    field.dispatchEvent(new Event('input', { bubbles: true }));
  });
}

const press = (selector: string) => act(async () => find(selector).click());

async function sendCode(): Promise<void> {
  await type('input[type=tel]', '+1 415 555 0123');
  await press('.cs-go');
}

describe('the styled form', () => {
  test('goes from a number to a proof', async () => {
    const got: string[] = [];
    const { asked } = await show([answer(pending()), answer(approved())], { onApproved: (a) => got.push(a.proof) });
    expect(find(`label[for="${find('input').id}"]`).textContent).toBe('Phone number');
    await sendCode();
    const field = find('input');
    expect([field.autocomplete, field.inputMode, field.name]).toEqual(['one-time-code', 'numeric', 'code']);
    expect(place.querySelectorAll('input'), 'one field for the whole code').toHaveLength(1);
    expect(document.activeElement).toBe(field);
    expect(place.textContent).toContain('+14155550123');
    await type('input', '12345');
    expect(asked).toHaveLength(1);
    await type('input', '１２３４５６');
    expect(asked[1]?.body).toEqual({ code: '123456' });
    expect(got).toEqual(['a.b.c']);
    expect(place.textContent).toContain('Phone number verified');
  });

  test('says what is wrong, tied to the field', async () => {
    await show([answer(pending()), problem(422, 'incorrect_code', { checks_left: 3 }), problem(422, 'incorrect_code', { checks_left: 0 })]);
    await sendCode();
    await type('input', '111111');
    expect(find('[role=alert]').textContent).toBe('That code is not right. Attempts left: 3.');
    const field = find('input');
    expect(field.getAttribute('aria-invalid')).toBe('true');
    expect(field.getAttribute('aria-describedby')?.split(' ')).toContain(find('[role=alert]').id);
    expect(field.value).toBe('');
    await type('input', '222222');
    expect(find('[role=alert]').textContent).toContain('no attempts are left');
    expect(place.querySelector('input')).toBeNull();
    await press('.cs-go');
    expect(find('input[type=tel]').value).toBe('+1 415 555 0123');
  });

  test('shows what is approved, before and beside the code', async () => {
    const transaction = { payee: 'ACME <b>AB</b>', amount: '49.90', currency: 'EUR' };
    const { asked } = await show([answer(pending())], { purpose: 'transaction', transaction });
    expect(find('.cs-transaction').textContent).toBe('PayeeACME <b>AB</b>Amount49.90 EUR');
    await sendCode();
    expect(find('.cs-transaction').textContent).toContain('49.90 EUR');
    expect(asked[0]?.body).toMatchObject({ purpose: 'transaction', transaction });
  });

  test('speaks the languages of the hosted page, and the app its own words', async () => {
    await show([], { language: 'ar-EG', texts: { send_code: 'Go' } });
    await act(async () => { await loadTexts('ar'); });
    expect(find('.countersign').dir).toBe('rtl');
    expect(find('label').textContent).toMatch(/[\u0600-\u06ff]/);
    expect(find('.cs-go').textContent).toBe('Go');
  });

  test('offers other channels when it is time', async () => {
    const { asked } = await show([answer(pending({ resend_in: 0 })), answer(pending({ channel: 'voice', sends: 2 }))], { channels: ['sms', 'voice'] });
    await sendCode();
    const buttons = [...place.querySelectorAll<HTMLButtonElement>('.cs-again button')];
    expect(buttons.map((b) => [b.textContent, b.disabled])).toEqual([['Send again', false], ['Call me instead', false]]);
    expect(find('[role=status]').textContent).toBe('You can ask for another code now.');
    await act(async () => buttons[1]!.click());
    expect(asked[1]?.body).toEqual({ channel: 'voice' });
  });

  test('is made on a server, too', () => {
    const text = renderToString(h(VerificationForm, { client: browser(play().fetch), storage: memory() }));
    expect(text).toContain('type="tel"');
  });
});

test('the form without looks draws what it is told', async () => {
  const { fetch } = play(answer(pending()));
  let hook: VerificationHook | undefined;
  const draw = (v: VerificationHook) => {
    hook = v;
    return h('output', null, `${v.step} ${v.expiresIn}`);
  };
  await act(async () => root.render(h(Verification, { client: browser(fetch, { devices: null }), storage: memory(), children: draw })));
  expect(place.textContent).toBe('phone 0');
  const { start } = hook!;
  await act(async () => { await start('+1'); });
  expect(place.textContent).toBe('code 300');
  expect(hook!.start).toBe(start);
});
