// React: useVerification is the hook, <Verification> the form without looks, <VerificationForm> the one with.

'use client';

import {
  createElement as h, useCallback, useEffect, useId, useMemo, useRef, useState, useSyncExternalStore,
  type ChangeEvent, type CSSProperties, type FormEvent, type InputHTMLAttributes, type ReactNode, type RefObject,
} from 'react';
import type { CountersignBrowser } from './browser.js';
import { findCode } from './digits.js';
import { Flow, type FlowOptions, type FlowState } from './flow.js';
import { format, load } from './phone.js';
import { clock, english, explain, fill, loadTexts, rightToLeft, type Texts } from './texts.js';
import { receiveCode } from './webotp.js';
import type { Channel } from './wire.js';

export { CountersignBrowser, Problem, type BrowserOptions, type Solver } from './browser.js';
export type { FlowOptions, FlowState, FlowStep } from './flow.js';
export { english, loadTexts, type Texts } from './texts.js';

/** The state of a verification, and what can be done. The actions are the same functions in every render. */
export interface VerificationHook extends FlowState {
  start(to: string): Promise<void>;
  check(code: string): Promise<void>;
  resend(channel?: Channel | 'auto'): Promise<void>;
  back(): void;
  retry(): Promise<void>;
}

/** Runs a phone form and a code form. */
export function useVerification(options: FlowOptions): VerificationHook {
  const [flow] = useState(() => new Flow(options));
  useEffect(() => { flow.options = options; });
  const state = useSyncExternalStore(
    useCallback((listener: () => void) => flow.subscribe(listener), [flow]),
    () => flow.state,
    () => flow.state,
  );
  useEffect(() => { void flow.resume(); }, [flow]);
  const actions = useMemo(() => ({
    start: (to: string) => flow.start(to),
    check: (code: string) => flow.check(code),
    resend: (channel?: Channel | 'auto') => flow.resend(channel),
    back: () => flow.back(),
    retry: () => flow.retry(),
  }), [flow]);
  return { ...state, ...actions };
}

/** Props for the one field that takes the code: typed, pasted, filled in by the keyboard or read from the message. */
export function useCodeInput(v: VerificationHook): InputHTMLAttributes<HTMLInputElement> & { value: string; clear(): void } {
  const [value, setValue] = useState('');
  const length = v.verification?.code_length ?? 6;
  const { check, step, over } = v;
  const id = v.verification?.id;
  useEffect(() => setValue(''), [id]);
  useEffect(() => {
    if (step !== 'code' || over) return undefined;
    const stop = new AbortController();
    receiveCode((code) => {
      setValue(code);
      void check(code);
    }, stop.signal);
    return () => stop.abort();
  }, [check, step, over, id]);
  const change = (event: ChangeEvent<HTMLInputElement>) => {
    const code = findCode(event.target.value, length);
    setValue(code ?? event.target.value);
    if (code && !(event.nativeEvent as InputEvent).isComposing) void check(code);
  };
  return { name: 'code', inputMode: 'numeric', autoComplete: 'one-time-code', required: true, value, onChange: change, clear: () => setValue('') };
}

/** Props for the phone field: the number is shown as people write it once it is left. */
export function usePhoneInput(initial = '', region?: string): InputHTMLAttributes<HTMLInputElement> & { value: string } {
  const [value, setValue] = useState(initial);
  return {
    name: 'phone', type: 'tel', autoComplete: 'tel', required: true, value,
    onChange: (event: ChangeEvent<HTMLInputElement>) => setValue(event.target.value),
    onFocus: () => { void load(); },
    onBlur: (event) => {
      const text = event.target.value;
      void format(text, region).then((nice) => { if (nice) setValue((now) => (now === text ? nice : now)); });
    },
  };
}

/** The forms without looks: `children` draws the state. */
export function Verification({ children, ...options }: FlowOptions & { children: (v: VerificationHook) => ReactNode }): ReactNode {
  return children(useVerification(options));
}

export interface VerificationFormProps extends FlowOptions {
  client: CountersignBrowser;
  /** What the person knows the app as; the page's host by default. */
  appName?: string;
  /** BCP 47; English by default. Texts of ten languages are there. */
  language?: string;
  /** Texts of your own, over those of the language. */
  texts?: Partial<Texts>;
  /** What the code can be sent again by; the first way is always there. */
  channels?: Channel[];
  /** The number to begin with. */
  to?: string;
  className?: string;
  style?: CSSProperties;
}

/** The forms with looks: import "@countersign/sdk/styles.css" once. */
export function VerificationForm(props: VerificationFormProps): ReactNode {
  const { appName, language, texts: own, channels, to, className, style, ...options } = props;
  const v = useVerification({ locale: language, ...options });
  const texts = useTexts(language, own);
  const view: View = { v, texts, app: appName ?? globalThis.location?.hostname ?? '', options, channels: channels ?? [], to: to ?? '' };
  const direction = rightToLeft(language) ? 'rtl' : undefined;
  return h('div', { className: `countersign ${className ?? ''}`.trim(), style, lang: language, dir: direction, 'aria-busy': v.busy },
    v.step === 'phone' ? h(PhoneForm, view) : null,
    v.step === 'code' ? h(CodeForm, view) : null,
    v.step === 'done' ? h(Done, view) : null,
    h('p', { className: 'cs-live', role: 'status' }, announcement(view)));
}

interface View {
  v: VerificationHook;
  texts: Texts;
  app: string;
  options: FlowOptions;
  channels: Channel[];
  to: string;
}

function useTexts(language: string | undefined, own: Partial<Texts> | undefined): Texts {
  const [texts, setTexts] = useState(english);
  useEffect(() => {
    let current = true;
    void loadTexts(language).then((loaded) => { if (current) setTexts(loaded); });
    return () => { current = false; };
  }, [language]);
  return useMemo(() => ({ ...texts, ...own }), [texts, own]);
}

/** Said aloud: the end of a wait, never its seconds. */
function announcement({ v, texts }: View): string {
  if (v.working) return texts.working;
  const again = v.step === 'code' && !v.over && v.resendable && v.resendIn === 0 && !v.busy;
  return again ? texts.resend_ready : '';
}

function problemOf({ v, texts, app }: View, id: string): ReactNode {
  if (!v.problem) return null;
  const text = explain(texts, v.problem, v.retryIn, { length: v.verification?.code_length ?? 6, app });
  return h('p', { className: 'cs-problem', id, role: 'alert' }, text);
}

/** Leads the keyboard to a field when its form appears, and back to it after a refusal. */
function useFocus(v: VerificationHook): RefObject<HTMLInputElement | null> {
  const field = useRef<HTMLInputElement>(null);
  const refused = v.problem;
  useEffect(() => { if (refused) field.current?.focus(); }, [refused]);
  return field;
}

function PhoneForm(view: View): ReactNode {
  const { v, texts, options } = view;
  const id = useId();
  const field = useFocus(v);
  const phone = usePhoneInput(v.to || view.to, options.region);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    void v.start(phone.value);
  };
  return h('form', { method: 'post', onSubmit: submit, noValidate: true },
    problemOf(view, `${id}-problem`),
    options.transaction ? h(Shown, view) : null,
    h('div', null,
      h('label', { htmlFor: `${id}-phone` }, texts.phone),
      h('input', {
        ...phone, id: `${id}-phone`, ref: field, 'aria-invalid': v.problem ? true : undefined,
        'aria-describedby': `${id}-hint${v.problem ? ` ${id}-problem` : ''}`,
      })),
    h('p', { className: 'cs-hint', id: `${id}-hint` }, v.working ? texts.working : texts.phone_hint),
    h('button', { className: 'cs-go', type: 'submit', disabled: v.busy || v.retryIn > 0 }, v.retryIn > 0 ? `${texts.send_code} (${clock(v.retryIn)})` : texts.send_code));
}

/** What is approved, before anything is sent and beside the code. */
function Shown({ options, texts }: View): ReactNode {
  const { payee, amount, currency } = options.transaction!;
  return h('dl', { className: 'cs-transaction' },
    h('div', null, h('dt', null, texts.payee), h('dd', null, payee)),
    h('div', null, h('dt', null, texts.amount), h('dd', null, `${amount} ${currency}`)));
}

function CodeForm(view: View): ReactNode {
  const { v, texts, options } = view;
  const id = useId();
  const field = useFocus(v);
  const { clear, ...code } = useCodeInput(v);
  const problem = v.problem;
  useEffect(() => { if (problem?.code === 'incorrect_code') clear(); }, [problem]); // eslint-disable-line
  useEffect(() => { field.current?.focus(); }, [field]);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    void v.check(code.value);
  };
  const length = v.verification?.code_length ?? 6;
  return h('div', null,
    h('form', { method: 'post', onSubmit: submit, noValidate: true },
      problemOf(view, `${id}-problem`),
      options.transaction ? h(Shown, view) : null,
      h('p', { className: 'cs-hint' }, sentence(view)),
      h('p', { className: 'cs-to' }, h('bdi', { dir: 'ltr' }, v.verification?.to), ' ',
        h('button', { className: 'cs-change', type: 'button', onClick: v.back }, texts.change_number)),
      v.over ? h('button', { className: 'cs-go', type: 'button', onClick: v.back }, texts.start_again) : [
        h('div', { key: 'field' },
          h('label', { htmlFor: `${id}-code` }, texts.code),
          h('input', {
            ...code, id: `${id}-code`, className: 'cs-code', ref: field, 'aria-invalid': problem ? true : undefined,
            'aria-describedby': `${id}-hint${problem ? ` ${id}-problem` : ''}`,
          })),
        h('p', { key: 'hint', className: 'cs-hint', id: `${id}-hint` }, `${fill(texts.code_digits, { length })} ${texts.code_auto} ${texts.expires} ${clock(v.expiresIn)}`),
        h('button', { key: 'go', className: 'cs-go', type: 'submit', disabled: v.busy }, texts.confirm),
      ]),
    v.over || !v.resendable ? null : h(Again, view));
}

function sentence({ v, texts }: View): string {
  const text = { voice: texts.sent_voice, flashcall: texts.sent_flashcall }[v.verification?.channel as string] ?? texts.sent_sms;
  return fill(text, { length: v.verification?.code_length ?? 6 });
}

function Again({ v, texts, channels }: View): ReactNode {
  const wait = v.resendIn > 0 || v.busy;
  const ways: Record<string, string> = { sms: texts.via_sms, voice: texts.via_voice, whatsapp: texts.via_whatsapp, flashcall: texts.via_flashcall, email: texts.via_email };
  const rest = channels.filter((channel) => channel !== v.verification?.channel);
  return h('div', { className: 'cs-again' },
    v.resendIn > 0 ? h('p', { className: 'cs-hint' }, `${texts.resend_wait} ${clock(v.resendIn)}`) : null,
    h('button', { type: 'button', disabled: wait, onClick: () => void v.resend() }, texts.resend),
    rest.map((channel) => h('button', { key: channel, type: 'button', disabled: wait, onClick: () => void v.resend(channel) }, ways[channel])));
}

function Done(view: View): ReactNode {
  const { v, texts, options } = view;
  const title = useRef<HTMLParagraphElement>(null);
  useEffect(() => { title.current?.focus(); }, []);
  return h('div', null,
    problemOf(view, 'cs-done-problem'),
    h('p', { ref: title, tabIndex: -1, className: 'cs-done' }, options.transaction ? texts.title_done_transaction : texts.title_done),
    v.problem ? h('button', { className: 'cs-go', type: 'button', disabled: v.busy, onClick: () => void v.retry() }, texts.continue) : null);
}
