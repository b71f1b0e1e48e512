-- What a rotation of the phone key needs. Conventions as in the first file.

-- +goose Up

-- The number of an opt-out, sealed: it is kept for ever, and must be found under another key. NULL in rows of before.
ALTER TABLE opt_outs ADD COLUMN sealed BYTEA;
