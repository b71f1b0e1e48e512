// Runs a search beside the page, so that the page stays usable.

import { search, type Search } from './search.js';

const scope = self as unknown as { onmessage: (event: MessageEvent<Search>) => void; postMessage(message: unknown): void };

scope.onmessage = (event) => scope.postMessage({ number: search(event.data) });
