import Link from 'next/link';
import { signedIn } from '../lib/auth';

export const dynamic = 'force-dynamic';

export default async function Home() {
  const phone = await signedIn();
  return (
    <>
      <h1>The shop</h1>
      {phone
        ? <p>{`You are signed in as ${phone}. `}<Link href="/account">Your account</Link></p>
        : <p><Link href="/signup">Sign up</Link> with your phone number, or <Link href="/login">log in</Link>.</p>}
    </>
  );
}
