// What can be paid. The server's own word on payee and amount: it shows them, and compares the proof with them.

import 'server-only';

export interface Order {
  id: string;
  payee: string;
  amount: string;
  currency: string;
}

const orders: Order[] = [
  { id: '17', payee: 'ACME AB', amount: '49.90', currency: 'EUR' },
  { id: '18', payee: 'Nordic Books', amount: '12.00', currency: 'SEK' },
];

const kept = globalThis as { paid?: Map<string, string> };
const paid = (kept.paid ??= new Map<string, string>());

export const allOrders = () => orders;
export const findOrder = (id: string): Order | undefined => orders.find((o) => o.id === id);
export const paidBy = (id: string, phone: string): boolean => paid.get(`${id} ${phone}`) !== undefined;
export const pay = (id: string, phone: string): void => { paid.set(`${id} ${phone}`, new Date().toISOString()); };
