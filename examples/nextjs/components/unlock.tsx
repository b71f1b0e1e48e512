'use client';

// Before factors are changed, the number once more: a login that somebody left open is not enough.

import { CountersignBrowser, VerificationForm } from '@countersign/sdk/react';
import { useMemo, useState } from 'react';
import { begin } from '../lib/actions';
import { unlock } from '../lib/security';

export function Unlock({ url, publishableKey, phone }: { url: string; publishableKey: string; phone: string }) {
  const client = useMemo(() => new CountersignBrowser({ url, key: publishableKey }), [url, publishableKey]);
  const [refused, setRefused] = useState<string>();
  if (refused) return <p className="problem" role="alert">{refused}</p>;
  return (
    <>
      <p className="lead">First confirm that you hold <strong>{phone}</strong>.</p>
      <VerificationForm client={client} purpose="login" language="en" appName="the shop" to={phone} nonce={begin}
        onApproved={async ({ proof }) => setRefused(await unlock(proof))} />
    </>
  );
}
