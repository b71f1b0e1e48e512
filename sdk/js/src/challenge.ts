// Does the proof of work that the guard asks for before it lets a start through (ALTCHA, version 1).

import { Problem, type Challenge } from './problem.js';
import { search, type Search } from './search.js';

/** Solves a challenge and gives the `challenge_response`. */
export type Solver = (challenge: Challenge, signal?: AbortSignal) => Promise<string>;

const slice = 2_000; // numbers between two breaths, where there is no worker

/** Solves a challenge in a worker, or in short slices on the page where there can be none. */
export const solve: Solver = async (challenge, signal) => {
  const { algorithm, salt, signature, maxnumber = 1_000_000 } = challenge;
  if (algorithm !== 'SHA-256') throw new Problem('challenge_required', { detail: 'The challenge wants an algorithm that is not known here.', challenge });
  const whole = { salt, hash: challenge.challenge, from: 0, to: maxnumber + 1 };
  const number = await inWorker(whole, signal).catch((error) => {
    if (signal?.aborted) throw error;
    return inSlices(whole, signal);
  });
  if (number === undefined) throw new Problem('challenge_required', { detail: 'The challenge has no answer.', challenge });
  return btoa(JSON.stringify({ algorithm, challenge: challenge.challenge, number, salt, signature }));
};

/** Rejects where there can be no worker: an old browser, a policy, a page that cannot find the file. */
function inWorker(whole: Search, signal?: AbortSignal): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module' });
    const end = (settle: () => void) => {
      worker.terminate();
      signal?.removeEventListener('abort', stop);
      settle();
    };
    const stop = () => end(() => reject(signal?.reason));
    signal?.addEventListener('abort', stop, { once: true });
    worker.onmessage = (event: MessageEvent<{ number?: number }>) => end(() => resolve(event.data.number));
    worker.onerror = (event) => {
      event.preventDefault();
      end(() => reject(new Error('no worker')));
    };
    worker.postMessage(whole);
  });
}

async function inSlices({ salt, hash, to }: Search, signal?: AbortSignal): Promise<number | undefined> {
  for (let from = 0; from < to; from += slice) {
    signal?.throwIfAborted();
    const number = search({ salt, hash, from, to: Math.min(from + slice, to) });
    if (number !== undefined) return number;
    await new Promise((resolve) => { setTimeout(resolve); });
  }
  return undefined;
}
