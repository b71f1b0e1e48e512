-- One text for SQLite and Postgres. Instants are nanoseconds since 1970 in UTC, 0 for "none"; hashes, sealed
-- values and wrapped secrets are BYTEA, which SQLite stores as the blobs they are. A released file never changes:
-- what comes later is another file.

-- +goose Up

-- The log: one row a verification. Columns are what lists select by; the rest is JSON in body. What names a person
-- is in sealed, encrypted, and nowhere else.
CREATE TABLE verifications (
    id       TEXT     NOT NULL PRIMARY KEY,
    app      TEXT     NOT NULL,
    purpose  TEXT     NOT NULL,
    channel  TEXT     NOT NULL,
    face     TEXT     NOT NULL,
    status   TEXT     NOT NULL,
    phone    BYTEA    NOT NULL,
    ref_hash BYTEA,
    created  BIGINT   NOT NULL,
    expires  BIGINT   NOT NULL,
    seq      BIGINT   NOT NULL,
    sealed   BYTEA,
    body     TEXT     NOT NULL
);
CREATE INDEX verifications_by_app ON verifications (app, created, id);
-- A phone has few rows: the app is looked at in the row. A small index touches fewer pages when rows come in any order.
CREATE INDEX verifications_by_phone ON verifications (phone, created);
CREATE INDEX verifications_by_reference ON verifications (ref_hash, created) WHERE ref_hash IS NOT NULL;

-- The primary key is the promise: one approval a verification, whatever the hot store forgot.
CREATE TABLE approvals (
    id  TEXT   NOT NULL PRIMARY KEY,
    jti TEXT   NOT NULL,
    at  BIGINT NOT NULL
);
CREATE INDEX approvals_by_age ON approvals (at);

-- Who told which sender STOP. A lifted one stays as a row with stopped = 0, so that every node sees the change.
CREATE TABLE opt_outs (
    sender   TEXT     NOT NULL,
    phone    BYTEA    NOT NULL,
    stopped  SMALLINT NOT NULL,
    at       BIGINT   NOT NULL,
    revision BIGINT   NOT NULL,
    PRIMARY KEY (sender, phone)
);
CREATE INDEX opt_outs_by_revision ON opt_outs (revision);

CREATE TABLE api_keys (
    id      TEXT   NOT NULL PRIMARY KEY,
    app     TEXT   NOT NULL,
    kind    TEXT   NOT NULL,
    name    TEXT   NOT NULL,
    hash    BYTEA  NOT NULL UNIQUE,
    display TEXT   NOT NULL,
    created BIGINT NOT NULL,
    revoked BIGINT NOT NULL
);
CREATE INDEX api_keys_by_app ON api_keys (app, created);

-- Secrets are wrapped with the master key, which is never in here.
CREATE TABLE ring_keys (
    use_name  TEXT   NOT NULL,
    id        BIGINT NOT NULL,
    wrapped   BYTEA  NOT NULL,
    activates BIGINT NOT NULL,
    PRIMARY KEY (use_name, id)
);

CREATE TABLE signing_keys (
    id        TEXT   NOT NULL PRIMARY KEY,
    wrapped   BYTEA  NOT NULL,
    activates BIGINT NOT NULL,
    retired   BIGINT NOT NULL
);

CREATE TABLE phone_locks (
    phone    BYTEA  NOT NULL PRIMARY KEY,
    streak   BIGINT NOT NULL,
    guesses  TEXT   NOT NULL,
    until_at BIGINT NOT NULL,
    saved    BIGINT NOT NULL
);

-- One counter for each thing that nodes keep in memory. Whoever changes the thing raises its counter in the same
-- transaction: the row's lock puts changes in an order, and nodes reload what has moved.
CREATE TABLE revisions (
    topic TEXT   NOT NULL PRIMARY KEY,
    n     BIGINT NOT NULL
);
INSERT INTO revisions (topic, n) VALUES ('api_keys', 0), ('opt_outs', 0), ('ring', 0), ('signing', 0);
