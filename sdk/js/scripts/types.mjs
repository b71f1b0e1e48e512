// Writes src/api.ts, the types of the API, from an instance's OpenAPI document.
//
//	node scripts/types.mjs http://127.0.0.1:8080/openapi.json [FILE]
//
// Only the schemas are taken: what a call is named and where it goes is written by hand in server.ts and browser.ts.

import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import openapiTS, { astToString } from 'openapi-typescript';

const from = process.argv[2] ?? 'http://127.0.0.1:8080/openapi.json';
const to = process.argv[3] ?? fileURLToPath(new URL('../src/api.ts', import.meta.url));

const text = from.startsWith('http') ? await (await fetch(from)).text() : await readFile(from, 'utf8');
const { openapi, info, components: { schemas } } = JSON.parse(text);
const ast = await openapiTS(JSON.stringify({ openapi, info, paths: {}, components: { schemas } }));
await writeFile(to, `// Made by scripts/types.mjs from /openapi.json. Do not edit.\n\n${astToString(ast)}`);
