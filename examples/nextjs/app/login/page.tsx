import type { Metadata } from 'next';
import Link from 'next/link';
import { SignIn } from '../../components/sign-in';
import { settings } from '../../lib/countersign';

export const dynamic = 'force-dynamic';
export const metadata: Metadata = { title: 'Log in' };

export default async function LogIn({ searchParams }: { searchParams: Promise<{ error?: string }> }) {
  const { error } = await searchParams;
  return (
    <>
      <h1>Log in</h1>
      {error ? <p className="problem" role="alert">That login did not work, or no second factor was shown. You can <Link href="/security">add one</Link> once you are logged in.</p> : null}
      <SignIn {...settings()} purpose="login" />
      <noscript><p>The form needs scripts. <a href="/login/openid">Go on without</a></p></noscript>
      <p className="or"><span>or</span></p>
      <a className="plain" href="/login/openid">Sign in with Countersign</a>
    </>
  );
}
