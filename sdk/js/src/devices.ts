// Keeps device tokens: the owner of a phone has guesses and sends of his own on a device where he was approved before,
// so that nobody who knows his number can lock him out. They are kept under a hash, newest last.

import { typed } from './digits.js';

const name = 'countersign.devices';
const most = 8;

/** Where tokens are kept; localStorage by default. */
export type TokenStorage = Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;

export class Devices {
  constructor(readonly storage: TokenStorage | null, readonly scope: string) {}

  /** The token of an address as a person typed it, if it is written with its country code. */
  async find(to: string): Promise<string | undefined> {
    const label = await this.#label(to);
    return this.#read().find(([key]) => key === label)?.[1];
  }

  async keep(to: string, token: string): Promise<void> {
    const label = await this.#label(to);
    if (!label) return;
    const list = this.#read().filter(([key]) => key !== label);
    list.push([label, token]);
    try {
      this.storage?.setItem(name, JSON.stringify(list.slice(-most)));
    } catch { /* full, or forbidden: the device goes without */ }
  }

  #read(): [string, string][] {
    try {
      const list: unknown = JSON.parse(this.storage?.getItem(name) ?? '[]');
      return Array.isArray(list) ? list.filter((e): e is [string, string] => Array.isArray(e) && e.length === 2 && e.every((s) => typeof s === 'string')) : [];
    } catch {
      return [];
    }
  }

  async #label(to: string): Promise<string | undefined> {
    const plain = typed(to);
    const address = plain.includes('@') ? plain.toLowerCase() : plain.replace(/[^+\d]/g, '');
    if (!this.storage || !(address.startsWith('+') || address.includes('@')) || !globalThis.crypto?.subtle) return undefined;
    const sum = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(`${this.scope}\n${address}`));
    return Array.from(new Uint8Array(sum).subarray(0, 16), (b) => b.toString(16).padStart(2, '0')).join('');
  }
}
