-- +goose Up
-- What the guard blocks, for all nodes. The key is a keyed hash; nothing names a person.
CREATE TABLE guard_blocks (
    id      TEXT   NOT NULL PRIMARY KEY,
    key     BYTEA  NOT NULL,
    app     TEXT   NOT NULL,
    rule    TEXT   NOT NULL,
    subject TEXT   NOT NULL,
    reason  TEXT   NOT NULL,
    since   BIGINT NOT NULL,
    until_at BIGINT NOT NULL,
    level   BIGINT NOT NULL
);

-- +goose Down
DROP TABLE guard_blocks;
