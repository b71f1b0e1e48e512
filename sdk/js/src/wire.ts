// The API's shapes under the names that this package uses. They come from the OpenAPI document (api.ts).

import type { components } from './api.js';

type Schemas = components['schemas'];

/** One question, whether somebody holds a phone, for one purpose. */
export type Verification = Schemas['Verification'];

/** An approved verification, which carries its proof. */
export type Approved = Verification & { status: 'approved'; proof: string };

export type Transaction = Schemas['TransactionBody'];
export type Purpose = Verification['purpose'];
export type Channel = Verification['channel'];
export type Status = Verification['status'];

/** What to start. Only `to` is needed. */
export type StartRequest = Partial<Omit<Schemas['StartBody'], 'to'>> & { to: string };

/** The person for whom a server acts. Limits of clients count the address. */
export type Person = Schemas['ClientBody'];

/** Whoever proved a phone in this app. */
export type User = Schemas['User'];

/** A login. Keep both tokens away from the scripts of a page. */
export type Session = { user: User; access_token: string; token_type: string; expires_in: number; refresh_token: string };

/** Something that a user logs in with beside the phone. */
export type Factor = Schemas['Factor'];

/** One of a user's sessions, as the list of devices shows it. */
export type Device = Schemas['Device'];
