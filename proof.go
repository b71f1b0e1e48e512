package countersign

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"
)

// ProofType is the `typ` header of a proof; a verifier must check it (RFC 8725, 3.11).
const ProofType = "proof+jwt"

// ProofLifetime is how long a proof can be redeemed.
const ProofLifetime = 10 * time.Minute

// Signer makes signed statements with the instance's key.
type Signer interface {
	// Sign returns a JWT in compact form with the given `typ` and claims, which are JSON.
	Sign(typ string, claims []byte) (string, error)
}

// ProofClaims is what an approval says. Whoever verifies a proof needs no call to Countersign.
type ProofClaims struct {
	Issuer      string   `json:"iss"`
	Audience    string   `json:"aud"` // the app
	Subject     string   `json:"sub"` // the verification
	ID          string   `json:"jti"`
	IssuedAt    int64    `json:"iat"`
	Expires     int64    `json:"exp"`
	Nonce       string   `json:"nonce,omitempty"`
	PhoneNumber string   `json:"phone_number,omitempty"`
	Email       string   `json:"email,omitempty"`
	Purpose     Purpose  `json:"purpose"`
	AMR         []string `json:"amr"` // RFC 8176
	Reference   string   `json:"reference,omitempty"`
	Locale      string   `json:"locale,omitempty"` // that the start asked for
	Transaction string   `json:"txn,omitempty"`    // base64url of Transaction.Hash
	Test        bool     `json:"test,omitempty"`
	User        string   `json:"user,omitempty"` // whom a step-up was begun for
	// KnownAt is when the device that showed its token with the check had proved the phone before.
	KnownAt int64 `json:"known_at,omitempty"`
}

// signProof makes the proof of an approved record. Its times are the approval's, so a repeated answer carries an
// equal statement and copies redeem once.
func (v *Verifier) signProof(r *Record, s *Sealed, to Address, known *Device) (string, error) {
	c := ProofClaims{
		Issuer:   v.cfg.Issuer,
		Audience: r.App, Subject: r.ID, ID: r.JTI,
		IssuedAt: r.IssuedAt.Unix(), Expires: r.IssuedAt.Add(ProofLifetime).Unix(),
		Nonce: s.Nonce, Purpose: r.Purpose, AMR: r.Channel.AMR(), Reference: s.Reference, Locale: s.Locale, Test: r.Test, User: s.User,
	}
	if known.proved(r.Phone) {
		c.KnownAt = known.Issued.Unix()
	}
	if mail, ok := to.Email(); ok {
		c.Email = mail
	} else {
		c.PhoneNumber = to.Dial()
	}
	if s.Transaction != nil {
		c.Transaction = base64.RawURLEncoding.EncodeToString(s.Transaction.Hash())
	}
	claims, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("encoding a proof: %w", err)
	}
	proof, err := v.cfg.Signer.Sign(ProofType, claims)
	if err != nil {
		return "", fmt.Errorf("signing a proof: %w", err)
	}
	return proof, nil
}
