import type { Metadata } from 'next';
import { notFound, redirect } from 'next/navigation';
import { Approval } from '../../../components/approval';
import { signedIn } from '../../../lib/auth';
import { settings } from '../../../lib/countersign';
import { findOrder } from '../../../lib/orders';

export const dynamic = 'force-dynamic';
export const metadata: Metadata = { title: 'Approve a payment' };

export default async function Pay({ params }: { params: Promise<{ order: string }> }) {
  const phone = await signedIn();
  if (!phone) redirect('/login');
  const order = findOrder((await params).order);
  if (!order) notFound();
  return (
    <>
      <h1>Approve a payment</h1>
      <Approval {...settings()} phone={phone} order={order} />
      <noscript><p>Approving a payment needs scripts.</p></noscript>
    </>
  );
}
