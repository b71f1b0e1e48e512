// A proof of work in ALTCHA's format, in a Worker or out of one: the number from 0 to maxnumber for which SHA-256 of salt
// and number is the challenge. SHA-256 is written out here because crypto.subtle makes a promise of every hash, which
// is several times slower, and does not exist outside of secure contexts.

const K = new Int32Array(64);
const START = new Int32Array(8);
/** @param {number} x the first 32 bits of its fraction */
const fraction = (x) => (x - Math.floor(x)) * 2 ** 32 | 0;
for (let n = 2, count = 0; count < 64; n++) {
  let prime = true;
  for (let d = 2; d * d <= n; d++) prime &&= n % d > 0;
  if (!prime) continue;
  if (count < 8) START[count] = fraction(Math.sqrt(n));
  K[count++] = fraction(Math.cbrt(n));
}

const W = new Int32Array(64);

/**
 * Mixes one block of 16 words, at the front of W, into a state.
 * @param {Int32Array} state
 */
function mix(state) {
  for (let i = 16; i < 64; i++) {
    const a = W[i - 15], b = W[i - 2];
    W[i] = W[i - 16] + ((a >>> 7 | a << 25) ^ (a >>> 18 | a << 14) ^ a >>> 3) + W[i - 7] + ((b >>> 17 | b << 15) ^ (b >>> 19 | b << 13) ^ b >>> 10);
  }
  let a = state[0], b = state[1], c = state[2], d = state[3], e = state[4], f = state[5], g = state[6], h = state[7];
  for (let i = 0; i < 64; i++) {
    const t = h + ((e >>> 6 | e << 26) ^ (e >>> 11 | e << 21) ^ (e >>> 25 | e << 7)) + (e & f ^ ~e & g) + K[i] + W[i] | 0;
    const u = ((a >>> 2 | a << 30) ^ (a >>> 13 | a << 19) ^ (a >>> 22 | a << 10)) + (a & b ^ a & c ^ b & c) | 0;
    h = g; g = f; f = e; e = d + t | 0; d = c; c = b; b = a; a = t + u | 0;
  }
  state[0] += a; state[1] += b; state[2] += c; state[3] += d; state[4] += e; state[5] += f; state[6] += g; state[7] += h;
}

/**
 * @param {{algorithm: string, challenge: string, salt: string, maxnumber?: number, signature: string}} asked
 * @returns {string | undefined} what to send as challenge_response
 */
export function solve({ algorithm, challenge, salt, maxnumber = 1e6, signature }) {
  if (algorithm !== 'SHA-256' || !/^[0-9a-f]{64}$/.test(challenge)) return undefined;
  const text = new TextEncoder().encode(salt);
  const want = Int32Array.from({ length: 8 }, (_, i) => parseInt(challenge.slice(8 * i, 8 * i + 8), 16));
  // Whole blocks of the salt are the same for every number.
  const whole = text.length & ~63;
  const before = START.slice();
  const block = new Uint8Array(128);
  const view = new DataView(block.buffer);
  for (let at = 0; at < whole; at += 64) {
    block.set(text.subarray(at, at + 64));
    for (let i = 0; i < 16; i++) W[i] = view.getInt32(4 * i);
    mix(before);
  }
  const state = new Int32Array(8);
  for (let number = 0; number <= maxnumber; number++) {
    block.fill(0);
    block.set(text.subarray(whole));
    let end = text.length - whole;
    for (const digit of String(number)) block[end++] = digit.charCodeAt(0);
    block[end] = 0x80;
    const blocks = end < 56 ? 1 : 2;
    view.setUint32(64 * blocks - 4, 8 * (whole + end));
    state.set(before);
    for (let b = 0; b < blocks; b++) {
      for (let i = 0; i < 16; i++) W[i] = view.getInt32(64 * b + 4 * i);
      mix(state);
    }
    if (state[0] === want[0] && state.every((word, i) => word === want[i])) {
      return btoa(JSON.stringify({ algorithm, challenge, number, salt, signature }));
    }
  }
  return undefined;
}

if (typeof document === 'undefined' && typeof postMessage === 'function') {
  addEventListener('message', (event) => postMessage(solve(event.data)));
}
