import type { Metadata } from 'next';
import { SignIn } from '../../components/sign-in';
import { settings } from '../../lib/countersign';

export const dynamic = 'force-dynamic';
export const metadata: Metadata = { title: 'Log in' };

export default function LogIn() {
  return (
    <>
      <h1>Log in</h1>
      <SignIn {...settings()} purpose="login" />
      <noscript><p>The form needs scripts. <a href="/login/openid">Go on without</a></p></noscript>
      <p className="or">or</p>
      <p><a href="/login/openid">Sign in with Countersign</a></p>
    </>
  );
}
