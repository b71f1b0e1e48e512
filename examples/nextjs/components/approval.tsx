'use client';

// Approving a payment: payee and amount stand on the page and in the message, and the proof binds them.

import { CountersignBrowser, VerificationForm } from '@countersign/sdk/react';
import Link from 'next/link';
import { useMemo, useState } from 'react';
import { approve, begin } from '../lib/actions';

interface Props {
  url: string;
  publishableKey: string;
  phone: string;
  order: { id: string; payee: string; amount: string; currency: string };
}

export function Approval({ url, publishableKey, phone, order }: Props) {
  const client = useMemo(() => new CountersignBrowser({ url, key: publishableKey }), [url, publishableKey]);
  const [answer, setAnswer] = useState<{ paid: boolean; why?: string }>();
  const { payee, amount, currency } = order;
  if (answer) {
    return (
      <>
        {answer.paid ? <p className="good" role="status">{`Paid ${amount} ${currency} to ${payee}.`}</p> : <p className="problem" role="alert">{answer.why}</p>}
        <div className="buttons"><Link className="plain" href="/account">Your account</Link></div>
      </>
    );
  }
  return (
    <VerificationForm client={client} purpose="transaction" language="en" appName="the shop" to={phone} transaction={{ payee, amount, currency }}
      reference={`order-${order.id}`} nonce={begin} onApproved={async ({ proof }) => setAnswer(await approve(order.id, proof))} />
  );
}
