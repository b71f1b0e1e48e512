import type { Metadata } from 'next';
import Link from 'next/link';
import { redirect } from 'next/navigation';
import { SignOut } from '../../components/sign-out';
import { signedIn } from '../../lib/auth';
import { allOrders, paidBy } from '../../lib/orders';

export const dynamic = 'force-dynamic';
export const metadata: Metadata = { title: 'Account' };

/** The protected page. */
export default async function Account() {
  const phone = await signedIn();
  if (!phone) redirect('/login');
  return (
    <>
      <h1>Your account</h1>
      <p className="lead">Signed in as <strong>{phone}</strong></p>
      <h2>Orders</h2>
      <ul className="rows">
        {allOrders().map((o) => (
          <li key={o.id}>
            <div><strong>{o.payee}</strong> <span className="hint">{`${o.amount} ${o.currency}`}</span></div>
            {paidBy(o.id, phone) ? <span className="done">paid</span> : <Link aria-label={`Pay order ${o.id}`} href={`/pay/${o.id}`}>Pay</Link>}
          </li>
        ))}
      </ul>
      <h2>More</h2>
      <ul className="rows">
        <li><div><strong>Statement</strong> <span className="hint">takes a second factor</span></div><Link aria-label="Open the statement" href="/statement">Open</Link></li>
        <li><div><strong>Security</strong> <span className="hint">passkeys, authenticator app</span></div><Link aria-label="Open security" href="/security">Open</Link></li>
      </ul>
      <SignOut />
    </>
  );
}
