import type { Metadata } from 'next';
import Link from 'next/link';
import { redirect } from 'next/navigation';
import { current } from '../../lib/auth';
import { allOrders, paidBy } from '../../lib/orders';

export const dynamic = 'force-dynamic';
export const metadata: Metadata = { title: 'Statement' };

/** A page for the second level: a phone alone does not open it. */
export default async function Statement() {
  const user = await current();
  if (!user) redirect('/login');
  if (!user.second) {
    return (
      <>
        <h1>Your second factor, please</h1>
        <p className="lead">The statement is for logins with a passkey, or with an authenticator app beside the phone.</p>
        <div className="buttons">
          <a className="action" href="/login/openid?level=2">Show your second factor</a>
          <Link className="plain" href="/security">I have none yet</Link>
        </div>
      </>
    );
  }
  const paid = allOrders().filter((o) => paidBy(o.id, user.phone));
  return (
    <>
      <h1>Statement</h1>
      <p className="lead">{`Shown to ${user.phone}, with a second factor.`}</p>
      {paid.length === 0
        ? <p>Nothing was paid yet.</p>
        : <ul className="rows">{paid.map((o) => <li key={o.id}><div><strong>{o.payee}</strong></div><span>{`${o.amount} ${o.currency}`}</span></li>)}</ul>}
      <div className="buttons"><Link className="plain" href="/account">Your account</Link></div>
    </>
  );
}
