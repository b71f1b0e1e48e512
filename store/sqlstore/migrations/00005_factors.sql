-- Further factors of users: authenticator apps (TOTP), passkeys, recovery codes. Conventions as in the first file. Names,
-- secrets, public keys and the hashes of codes are sealed.

-- +goose Up

-- counter says what of the factor was used: the last time step of an app, the signature counter of a passkey, one bit
-- for each recovery code. lookup is the keyed hash of a passkey's credential id, NULL for the others. confirmed is 0 until
-- the person has shown that the factor works; used is 0 before the first time.
CREATE TABLE factors (
    id        TEXT   NOT NULL PRIMARY KEY,
    app       TEXT   NOT NULL,
    user_id   TEXT   NOT NULL,
    type      TEXT   NOT NULL,
    sealed    BYTEA  NOT NULL,
    lookup    BYTEA,
    counter   BIGINT NOT NULL,
    created   BIGINT NOT NULL,
    confirmed BIGINT NOT NULL,
    used      BIGINT NOT NULL
);
CREATE INDEX factors_by_user ON factors (user_id);
CREATE INDEX factors_pending ON factors (created) WHERE confirmed = 0;
-- A passkey belongs to one user of an app, and a user has one set of recovery codes: the indexes are the promise.
CREATE UNIQUE INDEX factors_by_lookup ON factors (app, lookup) WHERE lookup IS NOT NULL;
CREATE UNIQUE INDEX factors_one_set ON factors (user_id) WHERE type = 'recovery_codes';

-- Guesses at a user's factors that were not right, in a row. locked is until when none is taken, at the last one.
CREATE TABLE factor_guesses (
    user_id TEXT   NOT NULL PRIMARY KEY,
    failed  BIGINT NOT NULL,
    locked  BIGINT NOT NULL,
    at      BIGINT NOT NULL
);
CREATE INDEX factor_guesses_by_age ON factor_guesses (at);

-- When a further factor was shown in a session last; 0 for never.
ALTER TABLE sessions ADD COLUMN factor_at BIGINT NOT NULL DEFAULT 0;
