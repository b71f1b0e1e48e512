// Refusals, and what else an answer can fail with. Branch on `code`; show `detail` to developers, and the forms' own
// texts to people.

import type { components } from './api.js';

type Body = components['schemas']['Problem'];

/** The codes that an instance answers with, and four that are made here. A newer instance may have more. */
export type ProblemCode =
  | 'invalid_request' | 'invalid_phone_number' | 'invalid_email' | 'invalid_code' | 'unauthorized' | 'forbidden' | 'number_not_allowed' | 'opted_out'
  | 'not_found' | 'method_not_allowed' | 'verification_closed' | 'idempotency_in_progress' | 'verification_expired' | 'payload_too_large'
  | 'unsupported_media_type' | 'misdirected_request' | 'incorrect_code' | 'idempotency_mismatch' | 'challenge_required' | 'too_many_checks'
  | 'resend_too_soon' | 'too_many_sends' | 'rate_limited' | 'internal' | 'delivery_failed' | 'unavailable'
  | 'proof_redeemed' | 'proof_not_for_login' | 'factor_required' | 'session_revoked' | 'number_taken'
  | 'step_up_required' | 'factor_exists' | 'passkey_unknown' | 'passkey_refused' | 'ceremony_over'
  /** The instance could not be reached, or took too long. What was sent may have arrived. */
  | 'no_answer'
  /** Something answered that is no Countersign instance. */
  | 'unexpected_answer'
  /** The person closed the browser's dialog, or the device has no passkey or has one already. */
  | 'passkey_not_used'
  /** The app's own server did not take the proof. */
  | 'not_taken'
  | (string & {});

/** A proof of work in the wire format of ALTCHA, version 1. */
export interface Challenge {
  algorithm: string;
  challenge: string;
  maxnumber?: number;
  salt: string;
  signature: string;
}

export interface ProblemFields {
  status?: number;
  detail?: string;
  title?: string;
  type?: string;
  requestId?: string;
  /** Seconds after which trying again can help. */
  retryAfter?: number;
  /** Guesses that remain, where a code was wrong. */
  checksLeft?: number;
  /** Which members of the request were wrong. */
  errors?: readonly { pointer: string; detail: string }[];
  /** Which limit refused; told to secret keys only. */
  limit?: string;
  /** The verification that was made and could not be delivered. */
  verificationId?: string;
  challenge?: Challenge;
  cause?: unknown;
}

const brand = Symbol.for('countersign.Problem');

/** Why there is no success. Everything that this package throws on purpose is one. */
export class Problem extends Error {
  readonly [brand] = true;
  readonly code: ProblemCode;
  readonly status: number;
  readonly detail: string;
  readonly title: string | undefined;
  readonly type: string | undefined;
  readonly requestId: string | undefined;
  readonly retryAfter: number | undefined;
  readonly checksLeft: number | undefined;
  readonly errors: readonly { pointer: string; detail: string }[];
  readonly limit: string | undefined;
  readonly verificationId: string | undefined;
  readonly challenge: Challenge | undefined;

  constructor(code: ProblemCode, fields: ProblemFields = {}) {
    super(fields.detail ? `${code}: ${fields.detail}` : code, { cause: fields.cause });
    this.name = 'Problem';
    this.code = code;
    this.status = fields.status ?? 0;
    this.detail = fields.detail ?? '';
    this.title = fields.title;
    this.type = fields.type;
    this.requestId = fields.requestId;
    this.retryAfter = fields.retryAfter;
    this.checksLeft = fields.checksLeft;
    this.errors = fields.errors ?? [];
    this.limit = fields.limit;
    this.verificationId = fields.verificationId;
    this.challenge = fields.challenge;
  }

  /** Bundlers like to copy a module: a problem is one whichever copy made it. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === 'object' && value !== null && brand in value;
  }

  /** Whether this is a problem of one of these codes. */
  static is(error: unknown, ...codes: ProblemCode[]): error is Problem {
    return error instanceof Problem && (codes.length === 0 || codes.includes(error.code));
  }
}

/** Makes a Problem of any answer that is no success. */
export async function readProblem(response: Response): Promise<Problem> {
  const retry = Number(response.headers.get('retry-after'));
  const known: ProblemFields = {
    status: response.status,
    requestId: response.headers.get('x-request-id') ?? undefined,
    retryAfter: Number.isInteger(retry) && retry > 0 ? retry : undefined,
  };
  const media = response.headers.get('content-type')?.split(';')[0]?.trim();
  const body = media === 'application/problem+json' ? await response.json().catch(() => null) as (Body & { challenge?: Challenge }) | null : null;
  if (typeof body?.code !== 'string') {
    return new Problem('unexpected_answer', { ...known, detail: `The server answered ${response.status}, and not in the API's own words.` });
  }
  return new Problem(body.code, {
    ...known,
    detail: body.detail,
    title: body.title,
    type: body.type,
    requestId: body.request_id ?? known.requestId,
    retryAfter: body.retry_after ?? known.retryAfter,
    checksLeft: body.checks_left,
    errors: body.errors ?? undefined,
    limit: body.limit,
    verificationId: body.verification_id,
    challenge: body.challenge,
  });
}
