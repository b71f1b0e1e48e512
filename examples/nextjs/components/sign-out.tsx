'use client';

import { signOut } from 'next-auth/react';

export function SignOut() {
  return <button className="plain" type="button" onClick={() => void signOut({ callbackUrl: '/' })}>Sign out</button>;
}
