// <countersign-verify>: a phone form and a code form for pages without a framework.
//
//	<countersign-verify server="https://verify.example.com" publishable-key="pk_…" purpose="login" region="US"
//	  proof-nonce="…" action="/verified"></countersign-verify>
//
// On approval it fires `countersign-approved` with {proof, verification}, and with `action` it posts `proof` and `state`
// there as a form. What stands between its tags is shown until it takes over: a link to the hosted page for those without
// scripts. It lives in the page's own tree, not in a shadow one, because keyboards offer codes to fields that they see;
// do not put it into a form.

import { CountersignBrowser } from './browser.js';
import { findCode } from './digits.js';
import { Flow, type FlowState } from './flow.js';
import { format, load } from './phone.js';
import { css } from './styles.js';
import { clock, english, explain, fill, loadTexts, rightToLeft, type Texts } from './texts.js';
import { receiveCode } from './webotp.js';
import type { Approved, Channel, Purpose } from './wire.js';

/** What `countersign-approved` carries. */
export interface ApprovedDetail {
  proof: string;
  verification: Approved;
}

let serial = 0;
const Base = globalThis.HTMLElement ?? class {} as typeof HTMLElement; // so that a server may import this file

/** The element. It is registered as countersign-verify by importing this file. */
export class CountersignVerify extends Base {
  #flow: Flow | undefined;
  #end: (() => void) | undefined;
  #texts: Texts = english;
  #id = `countersign-${++serial}`;
  #shown = ''; // which form is drawn
  #problem: FlowState['problem'];
  #otp: AbortController | undefined;

  /** Makes the nonce before each start, instead of the attribute proof-nonce. */
  nonceFrom: (() => string | Promise<string>) | undefined;
  /** Given the approval before the event is fired. While it runs the form is busy; where it throws, it can be tried again. */
  onapproved: ((approved: Approved) => unknown) | undefined;
  /** What carries the calls, for those who want their own. */
  client: CountersignBrowser | undefined;

  async connectedCallback(): Promise<void> {
    if (this.#flow) return;
    adoptStyles(this.ownerDocument);
    this.classList.add('countersign');
    const language = this.#language();
    if (language && rightToLeft(language)) this.dir ||= 'rtl';
    this.#flow = new Flow({
      client: this.client ?? new CountersignBrowser({ url: this.#need('server'), key: this.#need('publishable-key') }),
      purpose: this.#attribute('purpose') as Purpose | undefined,
      region: this.#attribute('region'),
      locale: language,
      reference: this.#attribute('reference'),
      transaction: this.#transaction(),
      nonce: () => this.nonceFrom?.() ?? this.#attribute('proof-nonce') ?? '',
      onApproved: (approved) => this.#approved(approved),
    });
    this.#texts = await loadTexts(language).catch(() => english);
    if (!this.isConnected || !this.#flow) return;
    this.#end = this.#flow.subscribe(() => this.#draw());
    this.#draw();
    await this.#flow.resume();
  }

  disconnectedCallback(): void {
    this.#otp?.abort();
    this.#end?.();
    this.#flow = undefined;
    this.#shown = '';
  }

  #attribute(name: string): string | undefined {
    return this.getAttribute(name) || undefined;
  }

  #need(name: string): string {
    const value = this.#attribute(name);
    if (!value) throw new TypeError(`<countersign-verify> wants the attribute ${name}`);
    return value;
  }

  #language(): string | undefined {
    return this.closest('[lang]')?.getAttribute('lang') || undefined;
  }

  #transaction(): { payee: string; amount: string; currency: string } | undefined {
    const [payee, amount, currency] = ['payee', 'amount', 'currency'].map((name) => this.#attribute(name));
    return payee && amount && currency ? { payee, amount, currency } : undefined;
  }

  async #approved(approved: Approved): Promise<void> {
    await this.onapproved?.(approved);
    const detail: ApprovedDetail = { proof: approved.proof, verification: approved };
    const event = new CustomEvent('countersign-approved', { detail, bubbles: true, composed: true, cancelable: true });
    const action = this.#attribute('action');
    if (!this.dispatchEvent(event) || !action) return;
    const form = make('form', { method: 'post', action, hidden: true },
      make('input', { type: 'hidden', name: 'proof', value: approved.proof }),
      make('input', { type: 'hidden', name: 'state', value: this.#attribute('state') ?? '' }));
    this.append(form);
    form.submit();
  }

  /** Draws a form when the step is another one, and else only what moves. */
  #draw(): void {
    const s = this.#flow!.state;
    const which = `${s.step} ${s.over} ${s.verification?.id ?? ''} ${s.verification?.channel ?? ''} ${s.resendable}`;
    if (which !== this.#shown) {
      const had = this.contains(this.ownerDocument.activeElement);
      this.#shown = which;
      this.#problem = undefined;
      this.#otp?.abort();
      const live = make('p', { className: 'cs-live', role: 'status' });
      this.replaceChildren(...(s.step === 'phone' ? this.#phoneForm(s) : s.step === 'code' ? this.#codeForm(s) : this.#done()), live);
      const first = this.querySelector<HTMLElement>('input, .cs-done, .cs-go');
      if (s.step !== 'phone' || had) first?.focus();
    }
    this.#update(s);
  }

  #update(s: FlowState): void {
    const t = this.#texts;
    this.toggleAttribute('aria-busy', s.busy);
    if (s.busy) this.setAttribute('aria-busy', 'true');
    const show = (selector: string, text: string) => {
      const e = this.querySelector<HTMLElement>(selector);
      if (!e) return;
      if (e.textContent !== text) e.textContent = text;
      e.hidden = text === '' && !e.matches('.cs-live');
    };
    this.#showProblem(s);
    for (const button of this.querySelectorAll<HTMLButtonElement>('.cs-again button')) button.disabled = s.busy || s.resendIn > 0;
    const go = this.querySelector<HTMLButtonElement>('.cs-go');
    if (go) go.disabled = s.busy || (s.step === 'phone' && s.retryIn > 0);
    if (s.step === 'phone') show('.cs-go', s.retryIn > 0 ? `${t.send_code} (${clock(s.retryIn)})` : t.send_code);
    if (s.step === 'phone') show('.cs-hint', s.working ? t.working : t.phone_hint);
    show('.cs-expiry', `${t.expires} ${clock(s.expiresIn)}`);
    show('.cs-wait', s.resendIn > 0 ? `${t.resend_wait} ${clock(s.resendIn)}` : '');
    const again = s.step === 'code' && !s.over && s.resendable && s.resendIn === 0 && !s.busy;
    show('.cs-live', s.working ? t.working : again ? t.resend_ready : '');
  }

  #showProblem(s: FlowState): void {
    const p = s.problem;
    const place = this.querySelector<HTMLElement>('.cs-problem');
    const field = this.querySelector<HTMLInputElement>('input');
    const text = p ? explain(this.#texts, p, s.retryIn, { length: s.verification?.code_length ?? 6, app: this.#attribute('app-name') ?? location.hostname }) : '';
    if (place && place.textContent !== text) place.textContent = text;
    if (place) place.hidden = !p;
    if (p === this.#problem) return;
    this.#problem = p;
    if (!field) return;
    if (p) field.setAttribute('aria-invalid', 'true');
    else field.removeAttribute('aria-invalid');
    if (p?.code === 'incorrect_code') field.value = '';
    if (p) field.focus();
  }

  #phoneForm(s: FlowState): Node[] {
    const t = this.#texts;
    const field = make('input', {
      id: `${this.#id}-phone`, name: 'phone', type: 'tel', autocomplete: 'tel', required: true, value: s.to || (this.#attribute('to') ?? ''),
      'aria-describedby': `${this.#id}-problem ${this.#id}-hint`,
    });
    field.addEventListener('focus', () => void load());
    field.addEventListener('blur', () => {
      const text = field.value;
      void format(text, this.#attribute('region')).then((nice) => { if (nice && field.value === text) field.value = nice; });
    });
    const form = make('form', { method: 'post', noValidate: true }, this.#problemPlace(), ...this.#transactionShown(),
      make('div', {}, make('label', { htmlFor: field.id }, t.phone), field),
      make('p', { className: 'cs-hint', id: `${this.#id}-hint` }, t.phone_hint),
      make('button', { className: 'cs-go', type: 'submit' }, t.send_code));
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#flow?.start(field.value);
    });
    return [form];
  }

  #codeForm(s: FlowState): Node[] {
    const t = this.#texts;
    const v = s.verification!;
    const flow = this.#flow!;
    const back = (text: string, className: string) => {
      const button = make('button', { type: 'button', className }, text);
      button.addEventListener('click', () => flow.back());
      return button;
    };
    const sent = { voice: t.sent_voice, flashcall: t.sent_flashcall }[v.channel as string] ?? t.sent_sms;
    const form = make('form', { method: 'post', noValidate: true }, this.#problemPlace(), ...this.#transactionShown(),
      make('p', { className: 'cs-hint' }, fill(sent, { length: v.code_length })),
      make('p', { className: 'cs-to' }, make('bdi', { dir: 'ltr' }, v.to), ' ', back(t.change_number, 'cs-change')));
    if (s.over) form.append(back(t.start_again, 'cs-go'));
    else form.append(...this.#codeField(form, v.code_length));
    return s.over || !s.resendable ? [form] : [form, this.#again(v.channel)];
  }

  #codeField(form: HTMLFormElement, length: number): Node[] {
    const t = this.#texts;
    const flow = this.#flow!;
    const field = make('input', {
      id: `${this.#id}-code`, className: 'cs-code', name: 'code', inputMode: 'numeric', autocomplete: 'one-time-code', required: true,
      'aria-describedby': `${this.#id}-problem ${this.#id}-hint`,
    });
    const enter = (code: string) => {
      field.value = code;
      void flow.check(code);
    };
    field.addEventListener('input', (event) => {
      const code = findCode(field.value, length);
      if (code && !(event as InputEvent).isComposing) enter(code);
    });
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      void flow.check(field.value);
    });
    this.#otp = new AbortController();
    receiveCode(enter, this.#otp.signal);
    return [
      make('div', {}, make('label', { htmlFor: field.id }, t.code), field),
      make('p', { className: 'cs-hint', id: `${this.#id}-hint` }, `${fill(t.code_digits, { length })} ${t.code_auto} `, make('span', { className: 'cs-expiry' })),
      make('button', { className: 'cs-go', type: 'submit' }, t.confirm),
    ];
  }

  #again(channel: string): Node {
    const t = this.#texts;
    const names: Record<string, string> = { sms: t.via_sms, voice: t.via_voice, whatsapp: t.via_whatsapp, flashcall: t.via_flashcall, email: t.via_email };
    const button = (text: string, by?: Channel) => {
      const b = make('button', { type: 'button' }, text);
      b.addEventListener('click', () => void this.#flow?.resend(by));
      return b;
    };
    const rest = (this.#attribute('channels') ?? '').split(/\s+/).filter((c) => c in names && c !== channel) as Channel[];
    return make('div', { className: 'cs-again' }, make('p', { className: 'cs-hint cs-wait' }), button(t.resend), ...rest.map((c) => button(names[c]!, c)));
  }

  #done(): Node[] {
    const t = this.#texts;
    const again = make('button', { className: 'cs-go', type: 'button', hidden: true }, t.continue);
    again.addEventListener('click', () => void this.#flow?.retry());
    const place = this.#problemPlace();
    new MutationObserver(() => { again.hidden = place.hidden; }).observe(place, { attributes: true, attributeFilter: ['hidden'] });
    return [place, make('p', { className: 'cs-done', tabIndex: -1 }, this.#transaction() ? t.title_done_transaction : t.title_done), again];
  }

  #problemPlace(): HTMLElement {
    return make('p', { className: 'cs-problem', id: `${this.#id}-problem`, role: 'alert', hidden: true });
  }

  #transactionShown(): Node[] {
    const shown = this.#transaction();
    if (!shown) return [];
    const row = (name: string, value: string) => make('div', {}, make('dt', {}, name), make('dd', {}, value));
    return [make('dl', { className: 'cs-transaction' }, row(this.#texts.payee, shown.payee), row(this.#texts.amount, `${shown.amount} ${shown.currency}`))];
  }
}

/** Makes an element. Text goes in as text: nothing here is ever read as HTML. */
function make<K extends keyof HTMLElementTagNameMap>(tag: K, properties: Record<string, unknown>, ...children: (Node | string)[]): HTMLElementTagNameMap[K] {
  const e = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes('-') || name === 'role' || name === 'inputMode' || name === 'autocomplete') e.setAttribute(name.toLowerCase(), String(value));
    else Object.assign(e, { [name]: value });
  }
  e.append(...children);
  return e;
}

const adopted = new WeakSet<Document>();

/** Puts the styles into a page. A sheet that is made by script needs no leave of a Content-Security-Policy. */
function adoptStyles(document: Document): void {
  if (adopted.has(document) || !('adoptedStyleSheets' in document)) return;
  adopted.add(document);
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(css);
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
}

if (globalThis.customElements && !customElements.get('countersign-verify')) customElements.define('countersign-verify', CountersignVerify);

declare global {
  interface HTMLElementTagNameMap {
    'countersign-verify': CountersignVerify;
  }
  interface HTMLElementEventMap {
    'countersign-approved': CustomEvent<ApprovedDetail>;
  }
}
