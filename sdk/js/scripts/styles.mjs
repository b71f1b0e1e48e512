// Writes dist/styles.css from the same text that the web component uses.

import { writeFile } from 'node:fs/promises';
import { css } from '../dist/styles.js';

await writeFile(new URL('../dist/styles.css', import.meta.url), css);
