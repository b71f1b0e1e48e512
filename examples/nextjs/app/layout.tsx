import '@countersign/sdk/styles.css';
import './shop.css';
import Link from 'next/link';
import type { ReactNode } from 'react';

export const metadata = { title: { default: 'The shop', template: '%s · The shop' } };

export default function Layout({ children }: { children: ReactNode }) {
  return (
    <html lang="en">
      <body>
        <header>
          <nav aria-label="Main">
            <Link href="/">The shop</Link>
            <Link href="/signup">Sign up</Link>
            <Link href="/login">Log in</Link>
            <Link href="/account">Account</Link>
          </nav>
        </header>
        <main>{children}</main>
      </body>
    </html>
  );
}
