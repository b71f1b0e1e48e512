import type { Metadata } from 'next';
import { redirect } from 'next/navigation';
import { Authenticator } from '../../components/authenticator';
import { signedIn } from '../../lib/auth';
import { settings } from '../../lib/countersign';

export const dynamic = 'force-dynamic';
export const metadata: Metadata = { title: 'Security' };

/** Where a person adds a second factor. */
export default async function Security() {
  const phone = await signedIn();
  if (!phone) redirect('/login');
  return (
    <>
      <h1>Add an authenticator app</h1>
      <Authenticator {...settings()} phone={phone} />
      <noscript><p>This page needs scripts.</p></noscript>
    </>
  );
}
