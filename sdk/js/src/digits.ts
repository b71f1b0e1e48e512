// What people type and paste into a form, in ASCII: the same rules as the hosted page has (web/typed.go).

const zeros = [0x0660, 0x06f0, 0x0966]; // Arabic-Indic, Persian, Devanagari

function ascii(character: string): string {
  const point = character.codePointAt(0)!;
  if (point < 0x80) return character;
  const zero = zeros.find((z) => point >= z && point < z + 10);
  if (zero !== undefined) return String(point - zero);
  if (point >= 0xff01 && point <= 0xff5e) return String.fromCharCode(point - 0xff01 + 0x21); // full width
  if (/[\u00a0\u2000-\u200a\u202f\u3000]/.test(character)) return ' ';
  if (/[\u2010-\u2015\u2212]/.test(character)) return '-';
  if (/[\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/.test(character)) return ''; // cannot be seen
  return character;
}

/** The ASCII that somebody meant: digits of other scripts, full-width signs, typographic spaces and dashes. */
export function typed(text: string): string {
  return Array.from(text, ascii).join('').trim();
}

/**
 * The code in a text that somebody typed or pasted, alone or within the whole message; undefined while it is not
 * complete.
 */
export function findCode(text: string, length: number): string | undefined {
  const plain = typed(text);
  const runs = (plain.match(/\d(?:[ -]?\d)*/g) ?? []).map((run) => run.replace(/[ -]/g, ''));
  const joined = plain.replace(/[ -]/g, '');
  if (joined.length === length && /^[0-9A-Za-z]+$/.test(joined)) return joined;
  return runs.find((run) => run.length === length);
}
