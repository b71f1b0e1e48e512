// An independent, certified client (openid-client) logs people in at a sandbox. ISSUER is its address.
import assert from 'node:assert/strict';
import test from 'node:test';
import * as client from 'openid-client';

const issuer = process.env.ISSUER;
const redirectURI = 'http://localhost:3000/callback';

const config = await client.discovery(new URL(issuer), 'demo', 'sandboxdemo', client.ClientSecretBasic('sandboxdemo'), {
  execute: [client.allowInsecureRequests],
});

/** A browser: it keeps cookies and follows redirects on the issuer's site. */
class Browser {
  cookies = new Map();

  async go(url, form) {
    for (;;) {
      const response = await fetch(url, {
        method: form ? 'POST' : 'GET',
        redirect: 'manual',
        body: form && new URLSearchParams(form),
        headers: {
          accept: 'text/html',
          ...(form && { origin: issuer }),
          cookie: [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; '),
        },
      });
      for (const line of response.headers.getSetCookie()) {
        const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
        this.cookies.set(name, value);
      }
      const body = await response.text();
      const next = response.headers.get('location') ?? unescape(/http-equiv="refresh" content="0;url=([^"]*)"/.exec(body)?.[1]);
      if (!next) return { status: response.status, body };
      url = new URL(next, url);
      form = undefined;
      if (url.origin !== issuer) return { left: url };
    }
  }

  /** Sends the form that has a field, filled in. */
  submit({ body }, path, field, value) {
    const form = body.match(/<form.*?<\/form>/gs).find((f) => f.includes(`name="${field}"`));
    const fields = Object.fromEntries([...form.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)"/g)].map(([, n, v]) => [n, unescape(v)]));
    return this.go(new URL(path, issuer), value === undefined ? fields : { ...fields, [field]: value });
  }

  /** Logs a person in at the hosted page. */
  async logIn(page, number) {
    page = await this.submit(page, '/verify', 'phone', number);
    const inbox = await (await fetch(`${issuer}/dev/inbox.json?to=${encodeURIComponent(number)}`)).json();
    page = await this.submit(page, '/verify', 'code', inbox.messages[0].code);
    return this.submit(page, '/oauth2/login', 'proof');
  }
}

function unescape(text) {
  return text?.replaceAll('&#43;', '+').replaceAll('&#39;', "'").replaceAll('&#34;', '"').replaceAll('&lt;', '<').replaceAll('&amp;', '&');
}

/** Begins a login as an application does. */
async function begin(more = {}) {
  const checks = { pkceCodeVerifier: client.randomPKCECodeVerifier(), expectedState: client.randomState(), expectedNonce: client.randomNonce(), idTokenExpected: true };
  const url = client.buildAuthorizationUrl(config, {
    redirect_uri: redirectURI,
    scope: 'openid phone offline_access',
    code_challenge: await client.calculatePKCECodeChallenge(checks.pkceCodeVerifier),
    code_challenge_method: 'S256',
    state: checks.expectedState,
    nonce: checks.expectedNonce,
    ...more,
  });
  return { url, checks };
}

test('a person logs in, and the application gets their number', async () => {
  const browser = new Browser();
  const { url, checks } = await begin();
  const { left } = await browser.logIn(await browser.go(url), '+14155557001');
  const tokens = await client.authorizationCodeGrant(config, left, checks);
  const claims = tokens.claims();
  assert.equal(claims.phone_number, '+14155557001');
  assert.equal(claims.phone_number_verified, true);
  assert.deepEqual(claims.amr, ['otp', 'sms']);
  assert.ok(claims.auth_time);
  const info = await client.fetchUserInfo(config, tokens.access_token, claims.sub);
  assert.equal(info.phone_number, '+14155557001');

  const again = await begin({ prompt: 'none' });
  const silent = await browser.go(again.url);
  assert.equal((await client.authorizationCodeGrant(config, silent.left, again.checks)).claims().sub, claims.sub);
});

test('refresh, introspection and revocation', async () => {
  const browser = new Browser();
  const { url, checks } = await begin();
  const { left } = await browser.logIn(await browser.go(url), '+14155557002');
  const tokens = await client.authorizationCodeGrant(config, left, checks);
  const fresh = await client.refreshTokenGrant(config, tokens.refresh_token);
  assert.notEqual(fresh.refresh_token, tokens.refresh_token);
  assert.equal((await client.tokenIntrospection(config, fresh.access_token)).active, true);
  await client.tokenRevocation(config, fresh.refresh_token);
  assert.equal((await client.tokenIntrospection(config, fresh.access_token)).active, false);
  await assert.rejects(client.refreshTokenGrant(config, fresh.refresh_token), { error: 'invalid_grant' });
});

test('a refusal comes back as the specification says', async () => {
  const { url, checks } = await begin({ prompt: 'none' });
  const { left } = await new Browser().go(url);
  await assert.rejects(client.authorizationCodeGrant(config, left, checks), { error: 'login_required' });
});

test('an answer of another issuer, and a code of another login, are refused', async () => {
  const browser = new Browser();
  const one = await begin();
  const { left } = await browser.logIn(await browser.go(one.url), '+14155557003');
  const mixed = new URL(left);
  mixed.searchParams.set('iss', 'https://honest.example');
  await assert.rejects(client.authorizationCodeGrant(config, mixed, one.checks));
  const other = await begin();
  await assert.rejects(client.authorizationCodeGrant(config, left, { ...one.checks, pkceCodeVerifier: other.checks.pkceCodeVerifier }), { error: 'invalid_grant' });
});

test('log-out', async () => {
  const browser = new Browser();
  const { url, checks } = await begin();
  const { left } = await browser.logIn(await browser.go(url), '+14155557004');
  const tokens = await client.authorizationCodeGrant(config, left, checks);
  const out = await browser.go(client.buildEndSessionUrl(config, { id_token_hint: tokens.id_token, post_logout_redirect_uri: 'http://localhost:3000/bye', state: 's' }));
  assert.equal(out.left.href, 'http://localhost:3000/bye?state=s');
  await assert.rejects(client.fetchUserInfo(config, tokens.access_token, tokens.claims().sub));
});
