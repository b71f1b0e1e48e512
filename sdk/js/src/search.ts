// The search of a proof of work: SHA-256 in plain JavaScript, because crypto.subtle answers one hash a turn of the event
// loop, and does not exist on pages without TLS. What never changes is hashed once: the salt's whole blocks.

const K = new Int32Array(64);
const H = new Int32Array(8);
{ // FIPS 180-4, 4.2.2 and 5.3.3: fractional parts of the cube and square roots of the first primes
  const fraction = (x: number) => ((x - Math.floor(x)) * 0x100000000) | 0;
  let found = 0;
  for (let n = 2; found < 64; n++) {
    let prime = true;
    for (let d = 2; d * d <= n; d++) prime &&= n % d !== 0;
    if (!prime) continue;
    if (found < 8) H[found] = fraction(Math.sqrt(n));
    K[found++] = fraction(Math.cbrt(n));
  }
}

const W = new Int32Array(64);

/** One block of SHA-256 (FIPS 180-4, 6.2.2) at an offset of data, into state. */
function block(state: Int32Array, data: Uint8Array, at: number): void {
  for (let i = 0; i < 16; i++, at += 4) W[i] = (data[at]! << 24) | (data[at + 1]! << 16) | (data[at + 2]! << 8) | data[at + 3]!;
  for (let i = 16; i < 64; i++) {
    const x = W[i - 15]!;
    const y = W[i - 2]!;
    const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
    const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
    W[i] = (W[i - 16]! + s0 + W[i - 7]! + s1) | 0;
  }
  let a = state[0]!, b = state[1]!, c = state[2]!, d = state[3]!, e = state[4]!, f = state[5]!, g = state[6]!, h = state[7]!;
  for (let i = 0; i < 64; i++) {
    const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
    const t1 = (h + s1 + ((e & f) ^ (~e & g)) + K[i]! + W[i]!) | 0;
    const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
    const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g; g = f; f = e; e = (d + t1) | 0; d = c; c = b; b = a; a = (t1 + t2) | 0;
  }
  state[0] = (state[0]! + a) | 0; state[1] = (state[1]! + b) | 0; state[2] = (state[2]! + c) | 0; state[3] = (state[3]! + d) | 0;
  state[4] = (state[4]! + e) | 0; state[5] = (state[5]! + f) | 0; state[6] = (state[6]! + g) | 0; state[7] = (state[7]! + h) | 0;
}

/** What to look for: the number from `from` up to and without `to` for which SHA-256 of salt and number is hash. */
export interface Search {
  salt: string;
  hash: string;
  from: number;
  to: number;
}

/** The number, or undefined where it is not in the range. */
export function search({ salt, hash, from, to }: Search): number | undefined {
  const wanted = (hash.match(/.{8}/g) ?? []).map((word) => parseInt(word, 16) | 0);
  if (wanted.length !== 8) return undefined;
  const prefix = new TextEncoder().encode(salt);
  const whole = prefix.length - (prefix.length % 64);
  const start = H.slice();
  for (let at = 0; at < whole; at += 64) block(start, prefix, at);
  const rest = prefix.length - whole;
  const tail = new Uint8Array(192);
  const state = new Int32Array(8);
  for (let number = from; number < to; number++) {
    tail.fill(0);
    tail.set(prefix.subarray(whole));
    const digits = String(number);
    for (let i = 0; i < digits.length; i++) tail[rest + i] = digits.charCodeAt(i);
    const used = rest + digits.length;
    tail[used] = 0x80;
    const end = Math.ceil((used + 9) / 64) * 64;
    const bits = (prefix.length + digits.length) * 8;
    tail[end - 4] = bits >>> 24; tail[end - 3] = bits >>> 16; tail[end - 2] = bits >>> 8; tail[end - 1] = bits;
    state.set(start);
    for (let at = 0; at < end; at += 64) block(state, tail, at);
    if (state[0] === wanted[0] && wanted.every((word, i) => state[i] === word)) return number;
  }
  return undefined;
}
