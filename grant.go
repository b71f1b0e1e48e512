package countersign

import "time"

// This file has what an OpenID Connect face keeps: requests on their way through the login, and what came of them. The
// face decides what they mean; a store moves them in indivisible steps.

// AuthorizationRequest is one visit of a person whom a client sent here to log in.
type AuthorizationRequest struct {
	ID      string
	Client  string
	App     string
	Binding []byte // SHA-256 of the browser's token: nobody else may go on with it
	Sealed  []byte // what the client asked for, bound to ID
	Created time.Time
	Expires time.Time

	// Once the person is known:
	User     string
	Session  string
	AuthTime time.Time
	AMR      []string
	Code     []byte // SHA-256 of the authorization code
}

// Grant is an access token of a client, maybe with a refresh token beside it.
type Grant struct {
	ID       string
	Request  string // the authorization that it came of: what is revoked together
	Client   string
	App      string
	User     string
	Session  string
	Scopes   []string
	AuthTime time.Time
	AMR      []string
	Created  time.Time
	Expires  time.Time // of the access token
	Refresh  []byte    // SHA-256 of the refresh token; nil without one
	Rotated  bool      // its refresh token was used
	Began    time.Time // its session; read only, as is the next
	Seen     time.Time // when that was used last, by the person or a client of theirs
}

// NewGrantID draws the id of a grant.
func NewGrantID() string { return newID("oat_") }

// NewAuthorizationID draws the id of an authorization request.
func NewAuthorizationID() string { return newID("oar_") }
