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
      <p>Signed in as <strong>{phone}</strong>.</p>
      <h2>To pay</h2>
      <ul>
        {allOrders().map((o) => (
          <li key={o.id}>
            {`${o.payee}, ${o.amount} ${o.currency} `}
            {paidBy(o.id, phone) ? <strong>paid</strong> : <Link href={`/pay/${o.id}`}>{`Pay order ${o.id}`}</Link>}
          </li>
        ))}
      </ul>
      <h2>Security</h2>
      <ul>
        <li><Link href="/statement">Statement</Link>, with a second factor</li>
        <li><Link href="/security">Add a second factor</Link></li>
      </ul>
      <SignOut />
    </>
  );
}
