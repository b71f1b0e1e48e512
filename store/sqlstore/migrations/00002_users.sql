-- Users and their sessions. Conventions as in the first file. Numbers, devices and client addresses are sealed;
-- tokens are kept as hashes only.

-- +goose Up

-- phone is the keyed hash, or NULL once somebody else has proved the number. proved is the number's last proof.
CREATE TABLE users (
    id      TEXT   NOT NULL PRIMARY KEY,
    app     TEXT   NOT NULL,
    phone   BYTEA,
    sealed  BYTEA,
    created BIGINT NOT NULL,
    proved  BIGINT NOT NULL,
    moved   BIGINT NOT NULL,
    factors BIGINT NOT NULL
);
-- One holder of a number in an app at a time: the index is the promise.
CREATE UNIQUE INDEX users_by_phone ON users (app, phone) WHERE phone IS NOT NULL;

-- Numbers that a user had, so that erasing them finds what the log has of it. They go with the log's own rows.
CREATE TABLE former_numbers (
    user_id TEXT   NOT NULL,
    phone   BYTEA  NOT NULL,
    at      BIGINT NOT NULL,
    PRIMARY KEY (user_id, phone)
);
CREATE INDEX former_numbers_by_age ON former_numbers (at);

CREATE TABLE sessions (
    id       TEXT   NOT NULL PRIMARY KEY,
    app      TEXT   NOT NULL,
    user_id  TEXT   NOT NULL,
    kind     TEXT   NOT NULL,
    amr      TEXT   NOT NULL,
    auth_at  BIGINT NOT NULL,
    created  BIGINT NOT NULL,
    seen     BIGINT NOT NULL,
    expires  BIGINT NOT NULL,
    ended    BIGINT NOT NULL,
    reason   TEXT   NOT NULL,
    sealed   BYTEA,
    family   BYTEA  NOT NULL,
    turn     BYTEA  NOT NULL
);
CREATE INDEX sessions_by_user ON sessions (user_id, ended, created);
CREATE INDEX sessions_by_expiry ON sessions (expires);

-- The primary key is the promise: a proof is redeemed once.
CREATE TABLE redeemed_proofs (
    jti     TEXT   NOT NULL PRIMARY KEY,
    expires BIGINT NOT NULL
);
CREATE INDEX redeemed_proofs_by_expiry ON redeemed_proofs (expires);

-- Whose log was erased a moment ago. What was still on its way then may write rows after it, so the erasure is done
-- again until that cannot be any more.
CREATE TABLE erasures (
    app   TEXT   NOT NULL,
    phone BYTEA  NOT NULL,
    at    BIGINT NOT NULL,
    PRIMARY KEY (app, phone)
);
