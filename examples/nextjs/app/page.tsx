import Link from 'next/link';
import { signedIn } from '../lib/auth';

export const dynamic = 'force-dynamic';

export default async function Home() {
  const phone = await signedIn();
  return (
    <>
      <h1>{phone ? 'Welcome back' : 'Welcome to the shop'}</h1>
      <p className="lead">{phone ? `You are signed in as ${phone}.` : 'No password: your phone number is your account.'}</p>
      <div className="buttons">
        {phone
          ? <Link className="action" href="/account">Your account</Link>
          : <><Link className="action" href="/signup">Sign up with your phone</Link><Link className="plain" href="/login">Log in</Link></>}
      </div>
    </>
  );
}
