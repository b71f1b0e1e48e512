package oidc

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// maxIDToken bounds what is parsed as an id token, in bytes.
const maxIDToken = 4096

// idToken says whether a text may be an id token of ours. Whose it is the library finds out; but that looks at signature and
// issuer only, and would take a proof or a session's access token, which the same keys sign, for one (RFC 8725, 3.11).
func idToken(text string) bool {
	if len(text) > maxIDToken || strings.Count(text, ".") != 2 {
		return false
	}
	head, _, _ := strings.Cut(text, ".")
	plain, err := base64.RawURLEncoding.Strict().DecodeString(head)
	var h struct {
		Type string `json:"typ"`
	}
	return err == nil && json.Unmarshal(plain, &h) == nil && h.Type == "JWT"
}

// verifies says whether an id token is ours, however old. Of one whose key is gone by now nobody can say.
func (f *Face) verifies(ctx context.Context, text string) bool {
	_, err := op.VerifyIDTokenHint[*oidc.IDTokenClaims](ctx, text, f.provider.IDTokenHintVerifier(ctx))
	return err == nil || errors.As(err, &op.IDTokenHintExpiredError{})
}

// withoutHint is a request to log out whose hint cannot be verified: as if the client that the hint names had sent none, so
// that the person is asked. Where they may be sent after it is judged by that client's addresses, as ever.
func withoutHint(q *oidc.EndSessionRequest) oidc.EndSessionRequest {
	bare := *q
	bare.IdTokenHint = ""
	var claims struct {
		Audience oidc.Audience `json:"aud"`
	}
	plain, err := base64.RawURLEncoding.Strict().DecodeString(strings.Split(q.IdTokenHint, ".")[1]) // idToken has seen three parts
	if err == nil && json.Unmarshal(plain, &claims) == nil && len(claims.Audience) == 1 {
		bare.ClientID = cmp.Or(bare.ClientID, claims.Audience[0])
	}
	return bare
}
