-- The language in which a person was last sent a code of a login: notices about their account are in it. '' where none was
-- asked for.

-- +goose Up

ALTER TABLE users ADD COLUMN locale TEXT NOT NULL DEFAULT '';
