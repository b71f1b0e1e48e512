'use client';

// The phone form and the code form on our own page. They talk to Countersign from the browser, with the publishable key;
// what comes back is a proof, which our server verifies.

import { CountersignBrowser, VerificationForm } from '@countersign/sdk/react';
import { signIn } from 'next-auth/react';
import { useRouter } from 'next/navigation';
import { useMemo, useState } from 'react';
import { begin } from '../lib/actions';

interface Props {
  url: string;
  publishableKey: string;
  purpose: 'signup' | 'login';
}

export function SignIn({ url, publishableKey, purpose }: Props) {
  const client = useMemo(() => new CountersignBrowser({ url, key: publishableKey }), [url, publishableKey]);
  const router = useRouter();
  const [refused, setRefused] = useState(false);

  const take = async (proof: string) => {
    const answer = await signIn('proof', { proof, purpose, redirect: false });
    if (answer?.ok) {
      router.push('/account');
      router.refresh();
      return;
    }
    setRefused(true);
  };

  if (refused) {
    return (
      <>
        <p className="problem" role="alert">{purpose === 'login' ? 'There is no account with this number yet.' : 'That did not work.'}</p>
        <div className="buttons"><a className="action" href="/signup">Sign up</a></div>
      </>
    );
  }
  return (
    <VerificationForm client={client} purpose={purpose} region="US" language="en" appName="the shop" channels={['sms', 'voice']} nonce={begin}
      onApproved={({ proof }) => take(proof)} />
  );
}
