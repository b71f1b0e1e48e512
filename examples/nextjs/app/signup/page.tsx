import type { Metadata } from 'next';
import { SignIn } from '../../components/sign-in';
import { settings } from '../../lib/countersign';

export const dynamic = 'force-dynamic';
export const metadata: Metadata = { title: 'Sign up' };

export default function SignUp() {
  return (
    <>
      <h1>Sign up</h1>
      <SignIn {...settings()} purpose="signup" />
      <noscript><p>The form needs scripts. <a href="/login/openid">Go on without</a></p></noscript>
      <p className="or"><span>or</span></p>
      <a className="plain" href="/login/openid">Sign up with Countersign</a>
    </>
  );
}
