// Writes src/texts/*.ts, the texts of the forms, from those of the hosted page.
//
//	node scripts/texts.mjs [DIRECTORY]

import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

const messages = fileURLToPath(new URL('../../../web/messages/', import.meta.url));
const to = process.argv[2] ?? fileURLToPath(new URL('../src/texts/', import.meta.url));

const wanted = [
  'title_phone', 'title_phone_transaction', 'title_code', 'title_done', 'title_done_transaction', 'phone', 'phone_hint', 'send_code', 'sent_sms', 'sent_voice',
  'sent_flashcall', 'change_number', 'code', 'code_digits', 'code_auto', 'confirm', 'expires', 'resend', 'resend_wait', 'resend_ready', 'via_sms', 'via_voice',
  'via_whatsapp', 'via_flashcall', 'via_email', 'working', 'continue', 'start_again', 'payee', 'amount', 'seconds', 'minutes', 'hours',
];

await mkdir(to, { recursive: true });
for (const file of (await readdir(messages)).filter((name) => name.endsWith('.json'))) {
  const all = JSON.parse(await readFile(messages + file, 'utf8'));
  const texts = Object.fromEntries(Object.entries(all).filter(([key]) => wanted.includes(key) || key.startsWith('problem_')));
  const missing = wanted.filter((key) => !(key in texts));
  if (missing.length > 0) throw new Error(`${file} lacks ${missing.join(', ')}`);
  await writeFile(`${to}/${file.replace('.json', '.ts')}`, `// Made by scripts/texts.mjs from web/messages/${file}. Do not edit.\n\nexport default ${JSON.stringify(texts, null, 2)};\n`);
}
