package proof

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// ErrRefused is in every error that says that a proof is not what was wanted. Any other error means that this could
// not be found out: the keys were out of reach.
var ErrRefused = errors.New("proof refused")

// leeway is what the clocks of two machines may differ.
const leeway = time.Minute

// maxToken is longer than any proof.
const maxToken = 16 << 10

// Verifier knows whose proofs to take.
type Verifier struct {
	Issuer string // the instance's public address, exactly as it calls itself
	App    string // the app's id
	Keys   *Keys

	AllowTest bool             // take proofs of test numbers, whose codes are public
	Now       func() time.Time // nil: time.Now
}

// Want is what the proof must say. Everything is compared: an empty Nonce wants a proof without one.
type Want struct {
	Purpose     string       // the one that you asked for
	Nonce       string       // the one of the person's session
	Transaction *Transaction // what you are about to carry out, with purpose transaction
}

// Claims is what a proof says.
type Claims struct {
	Issuer      string   `json:"iss"`
	App         string   `json:"aud"`
	ID          string   `json:"jti"` // use each once
	PhoneNumber string   `json:"phone_number"`
	Email       string   `json:"email"`
	Purpose     string   `json:"purpose"`
	Nonce       string   `json:"nonce"`
	AMR         []string `json:"amr"` // RFC 8176
	Reference   string   `json:"reference"`
	Test        bool     `json:"test"`

	VerificationID string `json:"sub"`
	Transaction    string `json:"txn"` // base64url of Transaction.Hash
	IssuedAt       int64  `json:"iat"`
	ExpiresAt      int64  `json:"exp"`
}

// Expires is until when the proof can be used, and its ID must be remembered.
func (c *Claims) Expires() time.Time { return time.Unix(c.ExpiresAt, 0).Add(leeway) }

// Verify checks a proof and says what it says.
func (v *Verifier) Verify(ctx context.Context, token string, want Want) (*Claims, error) {
	if len(token) > maxToken {
		return nil, refused("it is longer than a proof")
	}
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return nil, refused("it is no JWT signed with ES256")
	}
	header := jws.Signatures[0].Protected
	if typ, _ := header.ExtraHeaders[jose.HeaderType].(string); typ != "proof+jwt" {
		return nil, refused("its typ is not proof+jwt: this token is something else")
	}
	key, err := v.Keys.find(ctx, header.KeyID)
	if err != nil {
		return nil, err
	}
	text, err := jws.Verify(key)
	if err != nil {
		return nil, refused("its signature is not the instance's")
	}
	c := &Claims{}
	if err := json.Unmarshal(text, c); err != nil {
		return nil, refused("its claims are not those of a proof")
	}
	if err := v.compare(c, want); err != nil {
		return nil, err
	}
	return c, nil
}

func (v *Verifier) compare(c *Claims, want Want) error {
	now := time.Now
	if v.Now != nil {
		now = v.Now
	}
	at := now()
	switch {
	case v.Issuer == "" || c.Issuer != v.Issuer:
		return refused("it is of another instance (iss)")
	case v.App == "" || c.App != v.App:
		return refused("it is for another app (aud)")
	case !at.Before(c.Expires()):
		return refused("its time has run out (exp)")
	case time.Unix(c.IssuedAt, 0).After(at.Add(leeway)):
		return refused("it is from the future (iat); is a clock wrong?")
	case want.Purpose == "" || c.Purpose != want.Purpose:
		return refused("it was made for another purpose")
	case !equal(c.Nonce, want.Nonce):
		return refused("its nonce is not the one of this session")
	case !equal(c.Transaction, want.Transaction.text()):
		return refused("it approves another transaction (txn)")
	case (want.Purpose == "transaction") != (want.Transaction != nil):
		return refused("a transaction is compared with purpose transaction, and with no other")
	case c.Test && !v.AllowTest:
		return refused("it is of a test number, whose code is public")
	case c.ID == "" || c.VerificationID == "" || (c.PhoneNumber == "") == (c.Email == ""):
		return refused("its claims are not those of a proof")
	}
	return nil
}

func equal(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// refused never holds anything of the token.
func refused(why string) error { return fmt.Errorf("%w: %s", ErrRefused, why) }
