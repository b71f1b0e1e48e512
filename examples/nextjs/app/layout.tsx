import '@countersign/sdk/styles.css';
import './shop.css';
import Link from 'next/link';
import type { ReactNode } from 'react';
import { signedIn } from '../lib/auth';

export const metadata = { title: { default: 'The shop', template: '%s · The shop' } };

export default async function Layout({ children }: { children: ReactNode }) {
  const links = await signedIn() ? [['/account', 'Account'], ['/security', 'Security']] : [['/signup', 'Sign up'], ['/login', 'Log in']];
  return (
    <html lang="en">
      <body>
        <header>
          <nav aria-label="Main">
            <Link href="/">The shop</Link>
            {links.map(([href, name]) => <Link key={href} href={href!}>{name}</Link>)}
          </nav>
        </header>
        <main>{children}</main>
      </body>
    </html>
  );
}
