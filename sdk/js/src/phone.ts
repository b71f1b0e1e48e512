// What libphonenumber adds to a phone field: a number is shown as people write it. The library is fetched when somebody
// comes to the field, and the field works without it.

import { typed } from './digits.js';

/** A number as people write it, or undefined where it is none or the library is not there. */
export async function format(text: string, region?: string): Promise<string | undefined> {
  const library = await load();
  try {
    const number = library?.parsePhoneNumberFromString(typed(text), region as never);
    return number?.isValid() ? number.formatInternational() : undefined;
  } catch {
    return undefined; // a region that the library does not know
  }
}

let loading: Promise<typeof import('libphonenumber-js/min') | undefined> | undefined;

/** Fetches the library once. */
export function load(): Promise<typeof import('libphonenumber-js/min') | undefined> {
  return (loading ??= import('libphonenumber-js/min').catch(() => undefined));
}
