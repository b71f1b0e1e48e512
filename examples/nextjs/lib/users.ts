// The users, by their number. In memory, because this is an example: yours are in your database.

import 'server-only';

export interface User {
  phone: string;
  since: string;
}

const kept = globalThis as { users?: Map<string, User> };
const users = (kept.users ??= new Map<string, User>());

export const findUser = (phone: string): User | undefined => users.get(phone);

/** Signing up twice is no error: whoever holds the number is its user. */
export function addUser(phone: string): User {
  const user = users.get(phone) ?? { phone, since: new Date().toISOString() };
  users.set(phone, user);
  return user;
}
