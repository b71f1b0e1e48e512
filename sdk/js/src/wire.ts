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

/** A step-up to start: it goes to the number of the user, whom a server names. */
export type StepUpStart = Partial<Omit<Schemas['StartBody'], 'to' | 'region' | 'purpose' | 'transaction'>> & { purpose: 'stepup'; user: string };

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

/** A login whose tokens are in cookies that no script can read. */
export type CookieSession = { user: User; token_type: 'Cookie'; expires_in: number };

/** A session that was given new tokens: those of before are dead. */
export type Renewed<S extends Session | CookieSession = Session> = S & { factor: Factor };

/** The person who calls, with the session that they call by. */
export type Me = Schemas['Me'];

/** A proof of purpose signup or login, or a passkey, to be turned into a session. */
export type RedeemRequest = Omit<Schemas['SessionBody'], 'cookie'>;

/** A factor to show again. One of them is given. */
export type StepUpRequest = Schemas['StepUpBody'];

/** What an authenticator app is told, once. */
export type TOTP = Schemas['TotpAnswer'];

/** Codes for paper, shown once, and the new tokens of the session that made them. */
export type RecoveryCodes<S extends Session | CookieSession = Session> = S & { id: string; codes: string[] };

/** What a browser is asked for about a passkey: WebAuthn's own JSON. */
export interface Ceremony {
  ceremony: string;
  public_key: PublicKeyCredentialCreationOptionsJSON & PublicKeyCredentialRequestOptionsJSON;
}

/** What it answered. */
export type PasskeyAnswer = Schemas['PasskeyBody'];

export type Explanation = { decision: Schemas['Explanation']['decision']; rules: Schemas['RuleState'][] };
export type Block = Schemas['Block'];
export type Routes = Schemas['RouteList'];
