-- What is over is found without reading whole tables. Conventions as in the first file.

-- +goose Up

CREATE INDEX sessions_by_end ON sessions (ended) WHERE ended > 0;
CREATE INDEX oidc_grants_by_user ON oidc_grants (user_id);
