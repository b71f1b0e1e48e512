// Made by scripts/types.mjs from /openapi.json. Do not edit.

export type paths = Record<string, never>;
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        AskBody: {
            /** @description For whom a server asks: the address is counted. Secret keys only. */
            client?: components["schemas"]["ClientBody"];
        };
        Block: {
            /** @example blk_5f1d7a84db00d2fce00b31a7fc73224f */
            id: string;
            /**
             * Format: int64
             * @description How often it was blocked before, lately. Each time doubles the length.
             */
            level: number;
            reason: string;
            /** @example prefix_blocked */
            rule: string;
            /**
             * Format: date-time
             * @description Null where it is not known.
             */
            since: string | null;
            /** @description What is blocked: a range of numbers, or the cut hash of a network or phone. */
            subject: string;
            /**
             * Format: date-time
             * @description When it ends by itself.
             */
            until: string | null;
        } & {
            [key: string]: unknown;
        };
        BlockList: {
            /** @description What is blocked now, the latest first. */
            data: components["schemas"]["Block"][] | null;
        } & {
            [key: string]: unknown;
        };
        CarrierBody: {
            /** @description Of several the first that matches decides. They take the place of all that were there. */
            rules: components["schemas"]["CarrierRule"][];
        };
        CarrierRule: {
            /**
             * @description Begin so long after now, by the sandbox's clock.
             * @example 10s
             */
            after?: string;
            /**
             * @description Absent: every one.
             * @example sms
             */
            channel?: string;
            /**
             * @description How late what is late is, by the sandbox's clock. 30s by default.
             * @example 90s
             */
            delay?: string;
            /**
             * Format: int64
             * @description Only each so-manieth.
             */
            every?: number;
            /**
             * @description delivered, server_error, timeout, answer_lost, undelivered, slow, rejected, landline, lost, late, duplicate, receipt_twice, receipt_never, receipt_first, receipt_late or receipts_out_of_order.
             * @example undelivered
             */
            fate: string;
            /**
             * @description End so long after that.
             * @example 60s
             */
            for?: string;
            /**
             * @description Absent: every one.
             * @enum {string}
             */
            route?: "sandbox" | "sandbox-2" | "sandbox-hosted";
            /**
             * Format: int64
             * @description Messages that it was about.
             */
            readonly seen?: number;
            /**
             * Format: int64
             * @description Leave out the first so many messages.
             */
            skip?: number;
            /**
             * Format: int64
             * @description End after so many.
             */
            times?: number;
            /**
             * @description A number in E.164, or its beginning. Absent: every one.
             * @example +1415
             */
            to?: string;
        };
        CeremonyAnswer: {
            /**
             * @description Send it back with the browser's answer, once, within five minutes.
             * @example cer_AAEX…
             */
            ceremony: string;
            /** @description For PublicKeyCredential.parseCreationOptionsFromJSON or parseRequestOptionsFromJSON (WebAuthn Level 3). */
            public_key: {
                [key: string]: unknown;
            };
        } & {
            [key: string]: unknown;
        };
        ChallengeBody: {
            /** @enum {string} */
            algorithm: "SHA-256";
            /** @description The hash to find, in lower-case hexadecimal: that of salt followed by the number in decimal. */
            challenge: string;
            /**
             * Format: int64
             * @description The number is from 0 to this.
             * @example 100000
             */
            maxnumber: number;
            salt: string;
            /** @description Give it back unchanged. */
            signature: string;
        } & {
            [key: string]: unknown;
        };
        CheckBody: {
            /** @description For whom a server asks. Secret keys only. */
            client?: components["schemas"]["ClientBody"];
            /**
             * @description As the person typed it; spaces and hyphens do not count.
             * @example 123456
             */
            code: string;
            /** @description As on a start. */
            device_token?: string;
        };
        CheckByPhoneBody: {
            /** @description For whom the server asks. */
            client?: components["schemas"]["ClientBody"];
            /** @example 123456 */
            code: string;
            /** @description As on a start. */
            device_token?: string;
            /**
             * @default login
             * @enum {string}
             */
            purpose: "signup" | "login" | "stepup";
            /**
             * @description The country of a number without country code.
             * @example US
             */
            region?: string;
            /**
             * @description The phone number, or the e-mail address, that the code went to.
             * @example +46701740615
             */
            to: string;
        };
        ClientBody: {
            /** @description Your own id of the person's device. */
            device?: string;
            /**
             * @description The person's address.
             * @example 203.0.113.7
             */
            ip?: string;
            user_agent?: string;
        };
        ClockAnswer: {
            /**
             * Format: date-time
             * @description The clock that everything is decided by.
             */
            now: string;
        } & {
            [key: string]: unknown;
        };
        ClockBody: {
            /**
             * @description How far forward: a number with a unit, s, m or h. There is no way back.
             * @example 90s
             */
            advance: string;
        };
        ConfirmAnswer: {
            /** @description The session's new one; the old one is dead. Not in the body where it was set as a cookie. */
            access_token?: string;
            /**
             * Format: int64
             * @example 900
             */
            expires_in: number;
            factor: components["schemas"]["Factor"];
            /** @description The session's new one. Not in the body where it was set as a cookie. */
            refresh_token?: string;
            /** @enum {string} */
            token_type: "Bearer" | "Cookie";
            user: components["schemas"]["User"];
        } & {
            [key: string]: unknown;
        };
        ConfirmBody: {
            /**
             * @description What the authenticator app shows now.
             * @example 123456
             */
            code: string;
        };
        Delivery: {
            /** Format: date-time */
            at: string;
            /** @enum {string} */
            channel: "sms" | "voice" | "flashcall" | "whatsapp" | "email" | "seamless";
            /** @description The provider's reason, where it gave one. */
            detail: string | null;
            /** @example msg_y2xk4w2nfy6vbm7x5hdo2ecatg */
            id: string;
            /**
             * @description The route that took it; null until one did.
             * @example sinch
             */
            provider: string | null;
            /** @enum {string} */
            status: "queued" | "accepted" | "sent" | "delivered" | "undelivered" | "failed";
        } & {
            [key: string]: unknown;
        };
        Device: {
            /**
             * @description The level that they reached: the second with a further factor, for a day.
             * @enum {string}
             */
            acr: "urn:countersign:aal1" | "urn:countersign:aal2";
            /** @description By what means (RFC 8176). */
            amr: string[] | null;
            /**
             * Format: date-time
             * @description When the person last showed who they are.
             */
            auth_time: string;
            /** Format: date-time */
            created_at: string;
            /** @description Whether this is the session that asks. */
            current: boolean;
            device: string | null;
            /** Format: date-time */
            expires_at: string;
            /** @example ses_y2xk4w2nfy6vbm7x5hdo2ecatg */
            id: string;
            /** @description Where it began. */
            ip: string | null;
            /**
             * @description How its tokens travel; browser is a login at the hosted page for OpenID Connect clients.
             * @enum {string}
             */
            kind: "bearer" | "cookie" | "browser";
            /**
             * Format: date-time
             * @description The last refresh.
             */
            last_seen_at: string;
            user_agent: string | null;
        } & {
            [key: string]: unknown;
        };
        Devices: {
            /** @description Newest first. */
            data: components["schemas"]["Device"][] | null;
        } & {
            [key: string]: unknown;
        };
        EnrolBody: {
            /**
             * @description The person's own word for it.
             * @example My phone
             */
            name?: string;
        };
        Explanation: {
            /**
             * @description What a start would meet now.
             * @enum {string}
             */
            decision: "allow" | "challenge" | "deny";
            /** @description Every rule that was asked. */
            rules: components["schemas"]["RuleState"][] | null;
        } & {
            [key: string]: unknown;
        };
        Factor: {
            /** Format: date-time */
            created_at: string;
            /** @example fac_y2xk4w2nfy6vbm7x5hdo2ecatg */
            id: string;
            /**
             * Format: date-time
             * @description Null before the first time.
             */
            last_used_at: string | null;
            /**
             * @description The person's own word for it; empty where they gave none.
             * @example My phone
             */
            name: string;
            /**
             * Format: int64
             * @description Of recovery codes: how many are not used.
             * @example 10
             */
            remaining?: number;
            /** @enum {string} */
            type: "totp" | "passkey" | "recovery_codes";
        } & {
            [key: string]: unknown;
        };
        FactorBody: {
            /** @description Who proved the number has no factor of its user: a number that was not proved for 90 days then goes to a new user. */
            none?: boolean;
            /** @description A passkey of the number's user: POST /v1/passkeys/options says what the browser is asked for. */
            passkey?: components["schemas"]["PasskeyBody"];
            /** @example a2bc-defg-hi34-jklm */
            recovery_code?: string;
            /**
             * @description What the authenticator app shows now.
             * @example 123456
             */
            totp?: string;
        };
        FactorList: {
            /** @description Oldest first. One that was not confirmed is none. */
            factors: components["schemas"]["Factor"][] | null;
        } & {
            [key: string]: unknown;
        };
        Health: {
            /** @example ok */
            status: string;
        } & {
            [key: string]: unknown;
        };
        Inbox: {
            /** @description Newest first. */
            messages: components["schemas"]["InboxMessage"][] | null;
        } & {
            [key: string]: unknown;
        };
        InboxMessage: {
            /** Format: date-time */
            at: string;
            /** @example sms */
            channel: string;
            /** @example 123456 */
            code: string;
            id: string;
            /** @example sandbox */
            provider: string;
            text: string;
            /** @example +46701740615 */
            to: string;
        } & {
            [key: string]: unknown;
        };
        JwkSet: {
            keys: {
                [key: string]: string;
            }[] | null;
        } & {
            [key: string]: unknown;
        };
        LoginAnswer: {
            /** @description A JWT (typ at+jwt). Not in the body where it was set as a cookie. */
            access_token?: string;
            /**
             * Format: int64
             * @description Seconds until the access token must be refreshed.
             * @example 900
             */
            expires_in: number;
            /** @description Good once. Not in the body where it was set as a cookie. */
            refresh_token?: string;
            /** @enum {string} */
            token_type: "Bearer" | "Cookie";
            user: components["schemas"]["User"];
        } & {
            [key: string]: unknown;
        };
        Me: {
            /** Format: date-time */
            created_at: string;
            /** @example usr_y2xk4w2nfy6vbm7x5hdo2ecatg */
            id: string;
            /**
             * @description E.164; null once somebody else has proved the number.
             * @example +46701740615
             */
            phone_number: string | null;
            phone_number_verified: boolean;
            session: components["schemas"]["Device"];
            /**
             * Format: date-time
             * @description When the number was proved last.
             */
            verified_at: string;
        } & {
            [key: string]: unknown;
        };
        NewPasskeyBody: {
            /** @description As the options came with it. */
            ceremony: string;
            /** @description As PublicKeyCredential.toJSON() gives it. */
            credential: {
                [key: string]: unknown;
            };
            /** @description The person's own word for it. */
            name?: string;
        };
        Nothing: Record<string, never>;
        NumberBody: {
            /** @description Of the present number, purpose stepup. Whoever has a further factor shows that instead, at POST /v1/sessions/step-up. */
            current_proof?: string;
            /** @description Of the new number, purpose stepup. */
            proof: string;
        };
        Page: {
            /** @description Newest first. */
            data: components["schemas"]["Verification"][] | null;
            /** @description Give it back as cursor for the next page; null on the last. */
            next_cursor: string | null;
        } & {
            [key: string]: unknown;
        };
        PasskeyBody: {
            /** @description As the options came with it. */
            ceremony: string;
            /** @description As PublicKeyCredential.toJSON() gives it. */
            credential: {
                [key: string]: unknown;
            };
        };
        Problem: {
            /** @description The proof of work to do, with challenge_required. */
            challenge?: components["schemas"]["ChallengeBody"];
            /**
             * Format: int64
             * @description Guesses that remain.
             */
            checks_left?: number;
            /**
             * @description The kind of problem for programs. The same failure always has the same code.
             * @example incorrect_code
             */
            code: string;
            /** @description What was wrong here, and what to do about it. */
            detail: string;
            /** @description Which members of the request were wrong. */
            errors?: components["schemas"]["ProblemError"][] | null;
            /** @description Which limit refused; never told to a publishable key. */
            limit?: string;
            /** @description On readiness: the parts that do not work. */
            parts?: string[] | null;
            /** @description The value of X-Request-Id, to quote when asking for help. */
            request_id: string;
            /**
             * Format: int64
             * @description Seconds after which trying again can help; as in the header Retry-After.
             */
            retry_after?: number;
            /**
             * Format: int64
             * @description The HTTP status.
             */
            status: number;
            /** @description The kind of problem in words; the same for every problem of this kind. */
            title: string;
            /**
             * Format: uri
             * @description Names the kind of problem, and leads to its description.
             */
            type: string;
            /** @description The verification that was made and could not be delivered. */
            verification_id?: string;
        } & {
            [key: string]: unknown;
        };
        ProblemError: {
            detail: string;
            /**
             * @description A JSON pointer (RFC 6901) to the member of the body, or to the parameter of the query.
             * @example /to
             */
            pointer: string;
        };
        RecoveryAnswer: {
            /** @description The session's new one; the old one is dead. Not in the body where it was set as a cookie. */
            access_token?: string;
            /**
             * @description Shown once. Each is good once, in either case, with or without the hyphens.
             * @example [
             *       "a2bc-defg-hi34-jklm"
             *     ]
             */
            codes: string[] | null;
            /**
             * Format: int64
             * @example 900
             */
            expires_in: number;
            /** @example fac_y2xk4w2nfy6vbm7x5hdo2ecatg */
            id: string;
            /** @description The session's new one. Not in the body where it was set as a cookie. */
            refresh_token?: string;
            /** @enum {string} */
            token_type: "Bearer" | "Cookie";
            user: components["schemas"]["User"];
        } & {
            [key: string]: unknown;
        };
        RefreshBody: {
            /** @description The newest one. Leave it out where it is in the cookie. */
            refresh_token?: string;
        };
        RouteChoice: {
            /** @example sinch */
            route: string;
            /** Format: int64 */
            weight?: number;
        } & {
            [key: string]: unknown;
        };
        RouteHealth: {
            /**
             * Format: double
             * @description Share of these that it took. Null without any.
             */
            accept_rate: number | null;
            /** @enum {string} */
            breaker: "closed" | "open" | "half_open";
            /** @example sms */
            channel: string;
            /**
             * @description Empty for e-mail.
             * @example SE
             */
            country: string;
            /**
             * Format: double
             * @description Share of these receipts that say delivered.
             */
            delivery_rate: number | null;
            /**
             * Format: double
             * @description Share of the taken ones of which a receipt says how they ended.
             */
            receipt_rate: number | null;
            /**
             * Format: int64
             * @description Messages that its vendor was asked to carry.
             */
            tried: number;
            /** @description What it carries here does not arrive: other routes are tried before it. */
            tried_last: boolean;
            /**
             * Format: double
             * @description Share of ended verifications whose code came back.
             */
            verified_rate: number | null;
            /**
             * Format: double
             * @description Mean time from the start to the right code.
             */
            verify_seconds: number | null;
        } & {
            [key: string]: unknown;
        };
        RouteList: {
            /** @description The routes that these rules name, and how they fare in the last half hour, as this process saw it. */
            routes: components["schemas"]["RouteState"][] | null;
            /** @description Of the rules of a channel the first that holds the number decides. */
            rules: components["schemas"]["RouteRule"][] | null;
        } & {
            [key: string]: unknown;
        };
        RouteRule: {
            /** @example sms */
            channel: string;
            /** @description ISO 3166-1 alpha-2. Absent: every country. */
            countries?: string[] | null;
            /** @description First digits of numbers in E.164. Absent: every number. */
            prefixes?: string[] | null;
            /** @description In the order in which they are tried; those with weights share out who is first. */
            routes: components["schemas"]["RouteChoice"][] | null;
        } & {
            [key: string]: unknown;
        };
        RouteState: {
            /**
             * @description open: its vendor failed too often, and it is left out for ten seconds; half_open: one message finds out.
             * @enum {string}
             */
            breaker: "closed" | "open" | "half_open";
            channels: string[] | null;
            /** @description Those that it serves. Absent: every country. */
            countries?: string[] | null;
            health: components["schemas"]["RouteHealth"][] | null;
            /** @description Its vendor makes and checks the code. */
            hosted: boolean;
            /**
             * Format: int64
             * @description Messages that its vendor has not answered yet.
             */
            in_flight: number;
            /** @example sinch */
            name: string;
            /**
             * @description silent: its vendor's receipts have stopped, or never came.
             * @enum {string}
             */
            receipts: "none" | "waiting" | "coming" | "silent";
            sender?: string;
            /** @description By country. */
            senders?: {
                [key: string]: string;
            };
        } & {
            [key: string]: unknown;
        };
        RuleState: {
            /**
             * Format: int64
             * @description How much there is of it; 0 for rules that count nothing.
             */
            limit: number;
            /** @description The same in words. */
            meaning: string;
            /**
             * Format: int64
             * @description Seconds until nothing of it is used.
             */
            resets_in: number;
            /** @example budget_prefix4 */
            rule: string;
            /** @description The rule only records: it does not count for the decision. */
            shadow?: boolean;
            /**
             * Format: int64
             * @description How much of that is used.
             */
            used: number;
            /**
             * @description What this rule alone would do.
             * @enum {string}
             */
            would: "allow" | "challenge" | "deny";
        } & {
            [key: string]: unknown;
        };
        SendBody: {
            /** @description The solution of the challenge in an answer challenge_required, in ALTCHA's form: base64 of a JSON object with algorithm, challenge, number, salt and signature. */
            challenge_response?: string;
            /**
             * @description Another way; the one before by default.
             * @enum {string}
             */
            channel?: "sms" | "voice" | "flashcall" | "whatsapp" | "email" | "auto";
            /** @description For whom a server asks. Secret keys only. */
            client?: components["schemas"]["ClientBody"];
            /** @description As on a start. */
            device_token?: string;
        };
        SessionBody: {
            /** @description For whom a server asks, for the list of devices. Secret keys only. */
            client?: components["schemas"]["ClientBody"];
            /** @description Set the tokens as cookies instead of answering with them. Only from the instance's own site. */
            cookie?: boolean;
            /** @description A further factor, beside the phone. It makes the session one of urn:countersign:aal2 at once, and is wanted after an answer factor_required. */
            factor?: components["schemas"]["FactorBody"];
            /** @description The nonce that the verification was started with. Required where it had one, and with cookie. */
            nonce?: string;
            /** @description A passkey that was used, in place of a proof: POST /v1/passkeys/options says what the browser is asked for. */
            passkey?: components["schemas"]["PasskeyBody"];
            /** @description The proof of an approved verification, of purpose signup or login. Required without passkey. */
            proof?: string;
        };
        StartBody: {
            /** @description The solution of the challenge in an answer challenge_required, in ALTCHA's form: base64 of a JSON object with algorithm, challenge, number, salt and signature. */
            challenge_response?: string;
            /**
             * @description How it gets there. With "auto" the routes choose.
             * @default sms
             * @enum {string}
             */
            channel: "sms" | "voice" | "flashcall" | "whatsapp" | "email" | "auto";
            /** @description For whom a server asks. Limits of clients count this address. Secret keys only. */
            client?: components["schemas"]["ClientBody"];
            /** @description What an earlier approved check answered on this device: it has guesses and sends of its own where those of the phone are used up. */
            device_token?: string;
            /**
             * @description The language of the message, a BCP 47 tag.
             * @example en-US
             */
            locale?: string;
            /** @description Yours; at most 16 pairs and 1024 bytes in all. */
            metadata?: {
                [key: string]: string;
            };
            /** @description Yours; comes back in the proof, so that a proof is bound to the one who asked. */
            nonce?: string;
            /**
             * @description What an approval is meant for. A proof of one purpose is worth nothing for another.
             * @default login
             * @enum {string}
             */
            purpose: "signup" | "login" | "stepup" | "transaction";
            /**
             * @description Yours; comes back everywhere.
             * @example order-17
             */
            reference?: string;
            /**
             * @description The country of a number without country code, ISO 3166-1 alpha-2; the app's own by default.
             * @example US
             */
            region?: string;
            /**
             * @description Where the code goes: a phone number in any form a person types, or an e-mail address on that channel. Required without user.
             * @example +46701740615
             */
            to?: string;
            /** @description What is approved. Required with purpose transaction and refused otherwise; the message shows it and the proof binds it. */
            transaction?: components["schemas"]["TransactionBody"];
            /**
             * @description With purpose stepup, in the place of to: the code goes to the number of this user. With a secret key any of the app's; with an access token "me".
             * @example usr_y2xk4w2nfy6vbm7x5hdo2ecatg
             */
            user?: string;
            /** @description Whether the answer waits until a provider took the message, at most 5 s. True by default with a secret key; always false with a publishable one. */
            wait?: boolean;
        };
        StepUpBody: {
            /** @description One of the person's passkeys: POST /v1/sessions/step-up/options says what the browser is asked for. */
            passkey?: components["schemas"]["PasskeyBody"];
            /** @description Of purpose stepup and the person's own number. It says that the phone is still there; it does not raise the level, nor allow to change factors. */
            proof?: string;
            /** @example a2bc-defg-hi34-jklm */
            recovery_code?: string;
            /**
             * @description What the authenticator app shows now.
             * @example 123456
             */
            totp?: string;
        };
        TotpAnswer: {
            /**
             * Format: date-time
             * @description Until when it must be confirmed.
             */
            expires_at: string;
            /** @example fac_y2xk4w2nfy6vbm7x5hdo2ecatg */
            id: string;
            /** @description The same as a QR code: an SVG document. */
            qr: string;
            /** @description Base32, for typing where there is no camera. Shown once. */
            secret: string;
            /**
             * Format: uri
             * @description otpauth://, as a link on the same device.
             */
            uri: string;
        } & {
            [key: string]: unknown;
        };
        TransactionBody: {
            /**
             * @description A decimal, shown exactly as given.
             * @example 49.90
             */
            amount: string;
            /**
             * @description ISO 4217.
             * @example EUR
             */
            currency: string;
            /**
             * @description Letters, digits, single spaces and . - & '; no more than 4 digits in a row, and no amount.
             * @example ACME AB
             */
            payee: string;
        };
        User: {
            /** Format: date-time */
            created_at: string;
            /** @example usr_y2xk4w2nfy6vbm7x5hdo2ecatg */
            id: string;
            /**
             * @description E.164; null once somebody else has proved the number.
             * @example +46701740615
             */
            phone_number: string | null;
            phone_number_verified: boolean;
            /**
             * Format: date-time
             * @description When the number was proved last.
             */
            verified_at: string;
        } & {
            [key: string]: unknown;
        };
        UsersPage: {
            /** @description At most one: a number has one holder in an app. */
            data: components["schemas"]["User"][] | null;
            /** @description Always null. */
            next_cursor: string | null;
        } & {
            [key: string]: unknown;
        };
        Verification: {
            /** @example demo */
            app: string;
            /** @enum {string} */
            channel: "sms" | "voice" | "flashcall" | "whatsapp" | "email";
            /**
             * Format: int64
             * @description Guesses that the verification and its phone both still have.
             * @example 5
             */
            checks_left: number;
            /**
             * Format: int64
             * @example 6
             */
            code_length: number;
            /** Format: date-time */
            created_at: string;
            /** @description What became of each message. Secret keys only. */
            deliveries?: components["schemas"]["Delivery"][] | null;
            /** @description For the person's device to keep for 180 days and send along with what comes later. In the answer to an approved check only. */
            device_token?: string;
            /** Format: date-time */
            expires_at: string;
            /**
             * Format: int64
             * @description Seconds until then; 0 once it has ended.
             * @example 300
             */
            expires_in: number;
            /** @example ver_0a3qzk4w2nfy6vbm7x5hdo2ecatgi4 */
            id: string;
            /** @description Secret keys only. */
            metadata?: {
                [key: string]: string;
            };
            /** @description A signed statement of the approval (JWT, typ proof+jwt). In the answer to an approved check only. */
            proof?: string;
            /** @enum {string} */
            purpose: "signup" | "login" | "stepup" | "transaction";
            /** @example order-17 */
            reference: string | null;
            /**
             * Format: int64
             * @description Seconds until the code may be sent again; 0 where that is now, or never.
             * @example 30
             */
            resend_in: number;
            /**
             * Format: int64
             * @example 1
             */
            sends: number;
            /**
             * Format: int64
             * @example 2
             */
            sends_left: number;
            /**
             * @description All but pending are final.
             * @enum {string}
             */
            status: "pending" | "approved" | "expired" | "failed" | "canceled" | "denied" | "undeliverable";
            /**
             * @description E.164, or the e-mail address.
             * @example +46701740615
             */
            to: string;
            transaction?: components["schemas"]["TransactionBody"];
        } & {
            [key: string]: unknown;
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export type operations = Record<string, never>;
