// Serves the page, makes nonces and verifies proofs. Node and the SDK, nothing else.
//
//	node server.mjs        with the sandbox beside it: http://127.0.0.1:3000

import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { ProofRefused, ProofVerifier, memoryOnce } from '../../sdk/js/dist/server.js';

const countersign = process.env.COUNTERSIGN_URL ?? 'http://127.0.0.1:8080';
const key = process.env.COUNTERSIGN_PUBLISHABLE_KEY ?? 'pk_sandbox_demo';
const port = Number(process.env.PORT ?? 3000);

const proofs = new ProofVerifier({ issuer: countersign, app: 'demo', once: memoryOnce() });
const types = { html: 'text/html; charset=utf-8', css: 'text/css; charset=utf-8', js: 'text/javascript; charset=utf-8' };
const policy = `default-src 'none'; script-src 'self'; style-src 'self'; worker-src 'self'; connect-src 'self' ${countersign}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

/** Which file an address is of. Nothing else is served. */
function fileOf(path) {
  if (path === '/') return new URL('index.html', import.meta.url);
  if (/^\/page\.(css|js)$/.test(path)) return new URL(`.${path}`, import.meta.url);
  const sdk = /^\/countersign\/((?:texts\/)?[a-z]+\.js)$/.exec(path);
  return sdk ? new URL(`../../sdk/js/dist/${sdk[1]}`, import.meta.url) : undefined;
}

async function serve(request, response) {
  const path = new URL(request.url, 'http://here').pathname;
  const file = request.method === 'GET' ? fileOf(path) : undefined;
  const send = (status, type, body, headers = {}) => response.writeHead(status, { 'Content-Type': type, 'Content-Security-Policy': policy, 'X-Content-Type-Options': 'nosniff', ...headers }).end(body);
  if (file) {
    const text = await readFile(file, 'utf8');
    return send(200, types[file.pathname.split('.').at(-1)], path === '/' ? text.replaceAll('{countersign}', countersign).replaceAll('{key}', key) : text);
  }
  // A page of another site can make a browser post here: the browser says so, and it is refused.
  const foreign = request.headers['sec-fetch-site'] && request.headers['sec-fetch-site'] !== 'same-origin';
  if (request.method !== 'POST' || foreign) return send(404, 'text/plain', 'There is nothing here.');
  if (path === '/nonce') {
    const nonce = nonceOf(request) ?? randomBytes(16).toString('base64url'); // one for all tabs
    return send(200, 'text/plain', nonce, { 'Set-Cookie': `nonce=${nonce}; HttpOnly; SameSite=Strict; Path=/; Max-Age=900` });
  }
  if (path === '/verified') return verified(request, send);
  return send(404, 'text/plain', 'There is nothing here.');
}

/** The nonce of this browser, which no script can read. */
const nonceOf = (request) => /(?:^|; )nonce=([\w-]+)/.exec(request.headers.cookie ?? '')?.[1];

async function verified(request, send) {
  const chunks = [];
  for await (const chunk of request) {
    chunks.push(chunk);
    if (Buffer.concat(chunks).length > 8192) return send(413, 'text/plain', 'Too long.');
  }
  try {
    const { phone_number } = await proofs.verify(Buffer.concat(chunks).toString(), { purpose: 'login', nonce: nonceOf(request) ?? randomBytes(16).toString('hex') });
    return send(200, 'text/plain', `Our server knows: you hold ${phone_number}.`);
  } catch (error) {
    if (error instanceof ProofRefused) return send(403, 'text/plain', 'This proof does not count.');
    throw error;
  }
}

const server = createServer((request, response) => {
  serve(request, response).catch((error) => {
    console.error(error);
    if (!response.headersSent) response.writeHead(500);
    response.end();
  });
});
server.listen(port, '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}`));
