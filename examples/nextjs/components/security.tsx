'use client';

// The list of factors, and what can be done about them. The server makes the calls; here the device is asked for passkeys.

import { Problem, makePasskey, passkeysWork, showPasskey } from '@countersign/sdk/browser';
import type { Factor, TOTP } from '@countersign/sdk/server';
import { useRouter } from 'next/navigation';
import { useEffect, useRef, useState, type ReactNode } from 'react';
import * as security from '../lib/security';
import type { Outcome } from '../lib/security';

type View = { at: 'list' } | { at: 'app'; secret: TOTP } | { at: 'codes'; codes: string[] } | { at: 'show'; then: () => Promise<void> };

/** Makes a call, once a factor was shown where that is wanted. */
type Run = <T>(call: () => Promise<Outcome<T>>, then: (done: T) => void | Promise<void>) => Promise<void>;

interface Said {
  text: string;
  bad: boolean;
}

export function Security({ factors }: { factors: Factor[] }) {
  const router = useRouter();
  const [view, setView] = useState<View>({ at: 'list' });
  const [busy, setBusy] = useState(false);
  const [said, setSaid] = useState<Said>();
  const back = (text?: string) => {
    setView({ at: 'list' });
    setSaid(text ? { text, bad: false } : undefined);
  };

  const run: Run = async (call, then) => {
    setBusy(true);
    setSaid(undefined);
    try {
      const outcome = await call();
      if ('done' in outcome) await then(outcome.done);
      else if ('showFirst' in outcome) setView({ at: 'show', then: () => run(call, then) });
      else if ('over' in outcome) router.refresh(); // the number once more
      else setSaid({ text: outcome.refused, bad: true });
    } catch (error) {
      setSaid({ text: Problem.is(error, 'passkey_not_used') ? 'Your device did not go on, or has that passkey already.' : 'That did not work. Please try again.', bad: true });
    } finally {
      setBusy(false);
    }
  };

  const newPasskey = () => run(async () => {
    const asked = await security.beginPasskey();
    return 'done' in asked ? security.addPasskey(await makePasskey(asked.done)) : asked;
  }, () => back('The passkey is added.'));
  const shown = { busy, said, leave: () => back() };

  switch (view.at) {
    case 'app':
      return <Scan {...shown} secret={view.secret} confirm={(code) => void run(() => security.confirmApp(view.secret.id, code), () => back('The authenticator app is added.'))} />;
    case 'codes':
      return <Codes codes={view.codes} leave={() => back()} />;
    case 'show':
      return <Show {...shown} factors={factors} run={run} then={view.then} />;
    default:
      return (
        <>
          <Message said={said} />
          <List factors={factors} busy={busy} remove={(id) => void run(() => security.removeFactor(id), () => back('It is removed.'))} />
          <h2>Add</h2>
          <Buttons>
            <Passkeys><button className="action" disabled={busy} onClick={() => void newPasskey()}>Add a passkey</button></Passkeys>
            <button className="plain" disabled={busy} onClick={() => void run(security.beginApp, (secret) => setView({ at: 'app', secret }))}>Add an authenticator app</button>
            {factors.length > 0
              ? <button className="plain" disabled={busy} onClick={() => void run(security.newCodes, (codes) => setView({ at: 'codes', codes }))}>New recovery codes</button>
              : null}
          </Buttons>
        </>
      );
  }
}

function List({ factors, busy, remove }: { factors: Factor[]; busy: boolean; remove: (id: string) => void }) {
  const [asked, setAsked] = useState('');
  if (factors.length === 0) return <p className="lead">You have no second factor yet. A passkey is the safest, and the quickest to use.</p>;
  return (
    <ul className="rows">
      {factors.map((f) => (
        <li key={f.id}>
          <div><strong>{f.name}</strong> <span className="hint">{about(f)}</span></div>
          {asked === f.id
            ? <span className="pair"><button className="bad" disabled={busy} onClick={() => remove(f.id)}>Yes, remove</button><button onClick={() => setAsked('')}>Keep</button></span>
            : <button aria-label={`Remove ${f.name}`} onClick={() => setAsked(f.id)}>Remove</button>}
        </li>
      ))}
    </ul>
  );
}

const day = (text: string) => new Date(text).toLocaleDateString('en-GB', { day: 'numeric', month: 'short', year: 'numeric', timeZone: 'UTC' });

function about({ created_at, last_used_at, remaining }: Factor): string {
  if (remaining !== undefined) return `${remaining} left`;
  return last_used_at ? `last used ${day(last_used_at)}` : `added ${day(created_at)}`;
}

/** What only browsers with passkeys show. The server does not know whether this is one. */
function Passkeys({ children }: { children: ReactNode }) {
  const [work, setWork] = useState(false);
  useEffect(() => setWork(passkeysWork()), []);
  return work ? children : null;
}

/** The heading of another view. It takes the focus, so that whoever hears the page hears where they are. */
function Title({ children }: { children: ReactNode }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), []);
  return <h2 ref={heading} tabIndex={-1}>{children}</h2>;
}

const Buttons = ({ children }: { children: ReactNode }) => <div className="buttons">{children}</div>;

function Message({ said }: { said: Said | undefined }) {
  return said ? <p className={said.bad ? 'problem' : 'good'} role={said.bad ? 'alert' : 'status'} id="said">{said.text}</p> : null;
}

interface Step {
  busy: boolean;
  said: Said | undefined;
  leave: () => void;
}

/** Asks for a factor before a change. */
function Show({ busy, said, leave, factors, run, then }: Step & { factors: Factor[]; run: Run; then: () => Promise<void> }) {
  const has = (type: Factor['type']) => factors.some((f) => f.type === type);
  const passkey = () => run(async () => {
    const asked = await security.askPasskey();
    return 'done' in asked ? security.showPasskeyAgain(await showPasskey(asked.done)) : asked;
  }, then);
  return (
    <>
      <Title>Show a factor first</Title>
      <p className="lead">Your factors are changed by whoever can show one.</p>
      <Buttons>
        {has('passkey') ? <Passkeys><button className="action" disabled={busy} onClick={() => void passkey()}>Use a passkey</button></Passkeys> : null}
      </Buttons>
      {has('totp') || has('recovery_codes')
        ? <CodeForm label="Code from your app or from paper" busy={busy} said={said} submit={(code) => void run(() => security.showCode(code), then)} />
        : <Message said={said} />}
      <Buttons><button className="plain" onClick={leave}>Back</button></Buttons>
    </>
  );
}

function Scan({ busy, said, leave, secret, confirm }: Step & { secret: TOTP; confirm: (code: string) => void }) {
  return (
    <>
      <Title>Add an authenticator app</Title>
      <p className="lead">Scan this with the app, or <a href={secret.uri}>open the app on this device</a>.</p>
      <img className="qr" src={`data:image/svg+xml,${encodeURIComponent(secret.qr)}`} alt="QR code with the secret below" width="200" height="200" />
      <p className="hint">By hand: <code>{secret.secret}</code></p>
      <CodeForm label="Code that the app shows" busy={busy} said={said} submit={confirm} />
      <Buttons><button className="plain" onClick={leave}>Back</button></Buttons>
    </>
  );
}

function CodeForm({ label, busy, said, submit }: { label: string; busy: boolean; said: Said | undefined; submit: (code: string) => void }) {
  const field = useRef<HTMLInputElement>(null);
  const wrong = said?.bad === true;
  useEffect(() => { if (wrong) field.current?.focus(); }, [said, wrong]);
  return (
    <form className="entry" action={(form) => submit(String(form.get('code')))}>
      <Message said={said} />
      <label htmlFor="code">{label}</label>
      <input ref={field} id="code" name="code" autoComplete="one-time-code" autoCapitalize="none" spellCheck={false} maxLength={64} required
        aria-describedby={wrong ? 'said' : undefined} aria-invalid={wrong ? true : undefined} />
      <button className="action" disabled={busy}>Confirm</button>
    </form>
  );
}

function Codes({ codes, leave }: { codes: string[]; leave: () => void }) {
  return (
    <>
      <Title>Your recovery codes</Title>
      <p className="lead">Write them down, for the day on which your other factors are gone. Each is good once, and they are not shown again.</p>
      <ul className="codes">{codes.map((code) => <li key={code}><code>{code}</code></li>)}</ul>
      <Buttons><button className="action" onClick={leave}>I have written them down</button></Buttons>
    </>
  );
}
