'use client';

// Adding an authenticator app: the number once more, the picture to scan, a code that the app shows, and codes for paper.

import { CountersignBrowser, VerificationForm } from '@countersign/sdk/react';
import { useActionState, useMemo, useState } from 'react';
import { addAuthenticator, begin, confirmAuthenticator } from '../lib/actions';
import type { Secret } from '../lib/second-factor';

interface Props {
  url: string;
  publishableKey: string;
  phone: string;
}

export function Authenticator({ url, publishableKey, phone }: Props) {
  const client = useMemo(() => new CountersignBrowser({ url, key: publishableKey }), [url, publishableKey]);
  const [secret, setSecret] = useState<Secret | string>();
  if (typeof secret === 'string') return <p role="alert">{secret}</p>;
  if (secret) return <Scan {...secret} />;
  return (
    <>
      <p>First confirm that you hold <strong>{phone}</strong>.</p>
      <VerificationForm client={client} purpose="login" language="en" appName="the shop" to={phone} nonce={begin}
        onApproved={async ({ proof }) => setSecret(await addAuthenticator(proof))} />
    </>
  );
}

function Scan({ qr, secret, uri }: Secret) {
  const [answer, confirm, busy] = useActionState(
    async (_: string[] | string | undefined, form: FormData) => confirmAuthenticator(String(form.get('totp'))), undefined,
  );
  if (Array.isArray(answer)) return <Codes codes={answer} />;
  return (
    <>
      <p>Scan this with the app, or <a href={uri}>open the app on this device</a>.</p>
      <img className="qr" src={`data:image/svg+xml,${encodeURIComponent(qr)}`} alt="QR code with the secret below" width="200" height="200" />
      <p>By hand: <code>{secret}</code></p>
      <form className="totp" action={confirm}>
        <label htmlFor="totp">Code that the app shows</label>
        <input id="totp" name="totp" inputMode="numeric" autoComplete="one-time-code" required aria-describedby={answer ? 'totp-problem' : undefined} aria-invalid={answer ? true : undefined} />
        {answer ? <p id="totp-problem" role="alert">{answer}</p> : null}
        <button className="action" disabled={busy}>Confirm</button>
      </form>
    </>
  );
}

function Codes({ codes }: { codes: string[] }) {
  return (
    <>
      <p role="status">The authenticator app is your second factor now.</p>
      <p>Keep these codes on paper, for the day on which the app is gone. Each is good once, and they are not shown again.</p>
      <ul className="codes">{codes.map((code) => <li key={code}><code>{code}</code></li>)}</ul>
      <p><a href="/statement">Go to the statement</a></p>
    </>
  );
}
