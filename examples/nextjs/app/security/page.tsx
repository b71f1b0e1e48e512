import type { Metadata } from 'next';
import { redirect } from 'next/navigation';
import { Security } from '../../components/security';
import { Unlock } from '../../components/unlock';
import { signedIn } from '../../lib/auth';
import { settings } from '../../lib/countersign';
import { factors } from '../../lib/security';

export const dynamic = 'force-dynamic';
export const metadata: Metadata = { title: 'Security' };

/** Where a person sees, adds and removes further factors. */
export default async function SecurityPage() {
  const phone = await signedIn();
  if (!phone) redirect('/login');
  const list = await factors();
  return (
    <>
      <h1>Security</h1>
      {list ? <Security factors={list} /> : <Unlock {...settings()} phone={phone} />}
      <noscript><p>This page needs scripts.</p></noscript>
    </>
  );
}
