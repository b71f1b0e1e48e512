-- OpenID Connect: what clients ask for, and what they were given. Conventions as in the first file. What a request says
-- (redirect, state, login hint) is sealed; codes and refresh tokens are kept as hashes only.

-- +goose Up

-- code is NULL until the person is known; used is when a client took it.
CREATE TABLE oidc_requests (
    id         TEXT   NOT NULL PRIMARY KEY,
    client     TEXT   NOT NULL,
    app        TEXT   NOT NULL,
    binding    BYTEA  NOT NULL,
    sealed     BYTEA  NOT NULL,
    created    BIGINT NOT NULL,
    expires    BIGINT NOT NULL,
    user_id    TEXT   NOT NULL,
    session_id TEXT   NOT NULL,
    auth_at    BIGINT NOT NULL,
    amr        TEXT   NOT NULL,
    code       BYTEA,
    used       BIGINT NOT NULL
);
CREATE UNIQUE INDEX oidc_requests_by_code ON oidc_requests (code) WHERE code IS NOT NULL;
CREATE INDEX oidc_requests_by_expiry ON oidc_requests (expires);

-- One row for each access token. request is the family: all that came of one authorization. refresh is the token beside
-- it; rotated is when its successor was made.
CREATE TABLE oidc_grants (
    id         TEXT   NOT NULL PRIMARY KEY,
    request    TEXT   NOT NULL,
    client     TEXT   NOT NULL,
    app        TEXT   NOT NULL,
    user_id    TEXT   NOT NULL,
    session_id TEXT   NOT NULL,
    scopes     TEXT   NOT NULL,
    auth_at    BIGINT NOT NULL,
    amr        TEXT   NOT NULL,
    created    BIGINT NOT NULL,
    expires    BIGINT NOT NULL,
    refresh    BYTEA,
    rotated    BIGINT NOT NULL,
    revoked    BIGINT NOT NULL
);
CREATE UNIQUE INDEX oidc_grants_by_refresh ON oidc_grants (refresh) WHERE refresh IS NOT NULL;
CREATE INDEX oidc_grants_by_request ON oidc_grants (request);
CREATE INDEX oidc_grants_by_session ON oidc_grants (session_id);
CREATE INDEX oidc_grants_by_age ON oidc_grants (created);
