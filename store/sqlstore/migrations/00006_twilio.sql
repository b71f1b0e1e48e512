-- What apps make through the Twilio face: services, rate limits, buckets, safe-list entries. Conventions as in the first
-- file. body is sealed; name is a keyed hash where it could name a person.

-- +goose Up

CREATE TABLE face_objects (
    app     TEXT   NOT NULL,
    sid     TEXT   NOT NULL,
    kind    TEXT   NOT NULL,
    parent  TEXT   NOT NULL,
    name    TEXT   NOT NULL,
    body    BYTEA  NOT NULL,
    created BIGINT NOT NULL,
    updated BIGINT NOT NULL,
    PRIMARY KEY (app, sid)
);
CREATE UNIQUE INDEX face_objects_by_name ON face_objects (app, kind, parent, name);
