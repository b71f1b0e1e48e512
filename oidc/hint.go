package oidc

import (
	"encoding/base64"
	"encoding/json"
	"strings"
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
