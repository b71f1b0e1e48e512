// The texts of the forms, in the languages of the hosted page. English is built in; others are fetched when asked for.

import en from './texts/en.js';
import type { Problem } from './problem.js';

export type Texts = { readonly [K in keyof typeof en]: string };

const others: Record<string, () => Promise<{ default: Texts }>> = {
  ar: () => import('./texts/ar.js'),
  de: () => import('./texts/de.js'),
  es: () => import('./texts/es.js'),
  fr: () => import('./texts/fr.js'),
  hi: () => import('./texts/hi.js'),
  ja: () => import('./texts/ja.js'),
  pt: () => import('./texts/pt.js'),
  sv: () => import('./texts/sv.js'),
  zh: () => import('./texts/zh.js'),
};

export const english: Texts = en;

/** The texts of the nearest language that there is; English where there is none. */
export async function loadTexts(language: string | undefined): Promise<Texts> {
  const load = others[language?.toLowerCase().split('-')[0] ?? ''];
  return load ? (await load()).default : english;
}

/** Fills the places of a text. */
export function fill(text: string, values: Record<string, string | number>): string {
  return text.replace(/\{(\w+)\}/g, (place, name: string) => (name in values ? String(values[name]) : place));
}

/** A span for people. */
export function span(texts: Texts, seconds: number): string {
  if (seconds < 120) return fill(texts.seconds, { n: seconds });
  if (seconds < 7200) return fill(texts.minutes, { n: Math.ceil(seconds / 60) });
  return fill(texts.hours, { n: Math.ceil(seconds / 3600) });
}

/** A clock that is counted down. */
export function clock(seconds: number): string {
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}

/** The sentence that says to a person what went wrong. `wait` is how long waiting helps still; 0 where it does not. */
export function explain(texts: Texts, problem: Problem, wait: number, values: { length: number; app: string }): string {
  const all = texts as Record<string, string>;
  const code = ({ no_answer: 'unavailable', unexpected_answer: 'unavailable', not_taken: 'unavailable' } as Record<string, string>)[problem.code] ?? problem.code;
  let text = all[`problem_${code}`] ?? texts.problem_other;
  if (code === 'incorrect_code' && problem.checksLeft === 0) text = texts.problem_incorrect_code_last;
  if (text.includes('{wait}') && wait === 0) text = all[`problem_${code}_later`] ?? text;
  return fill(text, { wait: span(texts, wait), checks: problem.checksLeft ?? 0, ...values });
}

/** Which language is written from right to left. */
export const rightToLeft = (language: string | undefined): boolean => /^(ar|fa|he|ur)\b/i.test(language ?? '');
