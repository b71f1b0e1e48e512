// Leads to Countersign's hosted page with Auth.js and OpenID Connect. Auth.js begins with a form that a script sends; here
// the server sends it, so that a link is enough and the way in works without scripts. With ?level=2 it asks for a second factor.

import { NextResponse, type NextRequest } from 'next/server';
import { secondLevel } from '../../../lib/auth';

export const dynamic = 'force-dynamic';

export async function GET(request: NextRequest): Promise<Response> {
  const site = process.env.NEXTAUTH_URL!.replace(/\/$/, '');
  const second = request.nextUrl.searchParams.get('level') === '2';
  const asked = second ? `?${new URLSearchParams({ acr_values: secondLevel })}` : '';
  const csrf = await fetch(`${site}/api/auth/csrf`, { cache: 'no-store' });
  const cookies = csrf.headers.getSetCookie();
  const { csrfToken } = await csrf.json() as { csrfToken: string };
  const begun = await fetch(`${site}/api/auth/signin/phone${asked}`, {
    method: 'POST', redirect: 'manual', cache: 'no-store',
    headers: { cookie: cookies.map((c) => c.split(';')[0]).join('; ') },
    body: new URLSearchParams({ csrfToken, callbackUrl: `${site}/${second ? 'statement' : 'account'}` }),
  });
  const to = begun.headers.get('location');
  if (!to) return NextResponse.redirect(`${site}/login?error=Signin`);
  const answer = NextResponse.redirect(to);
  for (const cookie of [...cookies, ...begun.headers.getSetCookie()]) answer.headers.append('set-cookie', cookie);
  return answer;
}
