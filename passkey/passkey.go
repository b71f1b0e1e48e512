// Package passkey writes what browsers are asked and verifies what they answer when a passkey is made or used (WebAuthn
// Level 3). It keeps nothing and decides nothing else: which ceremony an answer belongs to, whose a passkey is and whether
// its counter went back is the engine's.
package passkey

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"
	"github.com/go-webauthn/webauthn/webauthn"

	"countersign"
)

// WebAuthn implements countersign.WebAuthn. It is safe for concurrent use.
type WebAuthn struct{}

var _ countersign.WebAuthn = WebAuthn{}

// maxAnswer bounds what is parsed. A body has at most 4 KiB.
const maxAnswer = 4096

// algorithms are those that every browser and device has one of, the first one preferred (WebAuthn Level 3, 5.4).
func algorithms() []protocol.CredentialParameter {
	var list []protocol.CredentialParameter
	for _, alg := range []webauthncose.COSEAlgorithmIdentifier{webauthncose.AlgES256, webauthncose.AlgEdDSA, webauthncose.AlgRS256} {
		list = append(list, protocol.CredentialParameter{Type: protocol.PublicKeyCredentialType, Algorithm: alg})
	}
	return list
}

// party is the library's view of a relying party. What the device says of its make is neither asked for nor looked at:
// it names people's devices and decides nothing here.
func party(rp *countersign.RelyingParty) (*webauthn.WebAuthn, error) {
	required := true
	w, err := webauthn.New(&webauthn.Config{
		RPID: rp.ID, RPDisplayName: rp.Name, RPOrigins: rp.Origins,
		AttestationPreference: protocol.PreferNoAttestation,
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			RequireResidentKey: &required, ResidentKey: protocol.ResidentKeyRequirementRequired, UserVerification: protocol.VerificationRequired,
		},
		Timeouts: webauthn.TimeoutsConfig{
			Login:        webauthn.TimeoutConfig{Timeout: countersign.CeremonyLifetime},
			Registration: webauthn.TimeoutConfig{Timeout: countersign.CeremonyLifetime},
		},
		// Password managers report extensions that nobody asked for. None of them matters here.
		ExtensionsUnsolicitedOutputPolicy: protocol.UnsolicitedOutputPolicyIgnore,
	})
	if err != nil {
		return nil, fmt.Errorf("passkeys of %s: %w", rp.ID, err)
	}
	return w, nil
}

// Validate says what is wrong with a relying party.
func Validate(rp *countersign.RelyingParty) error {
	if err := protocol.ValidateRPID(rp.ID); err != nil {
		return fmt.Errorf("%q is not a domain, such as example.com or localhost; an IP address is none", rp.ID)
	}
	_, err := party(rp)
	return err
}

// person is the library's view of a user, with the passkeys that matter.
type person struct {
	handle   []byte
	name     string
	passkeys []webauthn.Credential
}

func (p *person) WebAuthnID() []byte                         { return p.handle }
func (p *person) WebAuthnName() string                       { return p.name }
func (p *person) WebAuthnDisplayName() string                { return p.name }
func (p *person) WebAuthnCredentials() []webauthn.Credential { return p.passkeys }

func transports(names []string) []protocol.AuthenticatorTransport {
	list := make([]protocol.AuthenticatorTransport, len(names))
	for i, n := range names {
		list[i] = protocol.AuthenticatorTransport(n)
	}
	return list
}

func descriptors(list []*countersign.Passkey) []protocol.CredentialDescriptor {
	out := make([]protocol.CredentialDescriptor, len(list))
	for i, p := range list {
		out[i] = protocol.CredentialDescriptor{Type: protocol.PublicKeyCredentialType, CredentialID: p.ID, Transport: transports(p.Transport)}
	}
	return out
}

// CreationOptions implements countersign.WebAuthn.
func (WebAuthn) CreationOptions(rp *countersign.RelyingParty, n *countersign.NewPasskey) ([]byte, error) {
	w, err := party(rp)
	if err != nil {
		return nil, err
	}
	creation, _, err := w.BeginRegistration(&person{handle: n.Handle, name: n.Name},
		webauthn.WithCredentialParameters(algorithms()), webauthn.WithExclusions(descriptors(n.Exclude)),
		func(o *protocol.PublicKeyCredentialCreationOptions) error {
			o.Challenge = n.Challenge
			return nil
		})
	if err != nil {
		return nil, fmt.Errorf("asking for a new passkey: %w", err)
	}
	return json.Marshal(creation.Response)
}

// RequestOptions implements countersign.WebAuthn.
func (WebAuthn) RequestOptions(rp *countersign.RelyingParty, challenge []byte, from []*countersign.Passkey) ([]byte, error) {
	w, err := party(rp)
	if err != nil {
		return nil, err
	}
	assertion, _, err := w.BeginDiscoverableLogin(webauthn.WithChallenge(challenge), webauthn.WithAllowedCredentials(descriptors(from)),
		webauthn.WithUserVerification(protocol.VerificationRequired))
	if err != nil {
		return nil, fmt.Errorf("asking for a passkey: %w", err)
	}
	return json.Marshal(assertion.Response)
}

// Created implements countersign.WebAuthn.
func (WebAuthn) Created(rp *countersign.RelyingParty, challenge, answer []byte) (*countersign.Passkey, error) {
	if err := size(answer); err != nil {
		return nil, err
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes(answer)
	if err != nil {
		return nil, malformed(err)
	}
	o := &parsed.Response.AttestationObject
	// With no attestation asked for, browsers take out all but what the key itself signed.
	if o.Format != string(protocol.AttestationFormatNone) && o.Format != string(protocol.AttestationFormatPacked) {
		return nil, refused("The device's statement of its make is of a kind that was not asked for.", nil)
	}
	if err := elsewhere(rp, parsed.Response.CollectedClientData.Origin, o.AuthData.RPIDHash); err != nil {
		return nil, err
	}
	w, err := party(rp)
	if err != nil {
		return nil, err
	}
	c, err := w.CreateCredential(&person{}, webauthn.SessionData{
		Challenge: protocol.URLEncodedBase64(challenge).String(), RelyingPartyID: rp.ID, UserVerification: protocol.VerificationRequired,
		CredParams: algorithms(),
	}, parsed)
	if err != nil {
		return nil, refused("The passkey could not be verified: its answer is of another ceremony, was changed, or was given without unlocking the device.", err)
	}
	return known(c), nil
}

// known is what is kept of a new passkey.
func known(c *webauthn.Credential) *countersign.Passkey {
	p := &countersign.Passkey{
		ID: c.ID, PublicKey: c.PublicKey, Synced: c.Flags.BackupEligible, BackedUp: c.Flags.BackupState, Counter: c.Authenticator.SignCount,
	}
	for _, t := range c.Transport {
		// Only names that browsers know are given back to them, and few.
		if slices.Contains(knownTransports, string(t)) && !slices.Contains(p.Transport, string(t)) {
			p.Transport = append(p.Transport, string(t))
		}
	}
	return p
}

var knownTransports = []string{"usb", "nfc", "ble", "smart-card", "hybrid", "internal"}

// Names implements countersign.WebAuthn.
func (WebAuthn) Names(answer []byte) (id, handle []byte, err error) {
	parsed, err := parse(answer)
	if err != nil {
		return nil, nil, err
	}
	return parsed.RawID, parsed.Response.UserHandle, nil
}

func parse(answer []byte) (*protocol.ParsedCredentialAssertionData, error) {
	if err := size(answer); err != nil {
		return nil, err
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes(answer)
	if err != nil {
		return nil, malformed(err)
	}
	return parsed, nil
}

// Used implements countersign.WebAuthn. Whose the user handle is was not asked here: the engine compares it.
func (WebAuthn) Used(rp *countersign.RelyingParty, challenge []byte, p *countersign.Passkey, answer []byte) (*countersign.Passkey, error) {
	parsed, err := parse(answer)
	if err != nil {
		return nil, err
	}
	data := &parsed.Response.AuthenticatorData
	if err := elsewhere(rp, parsed.Response.CollectedClientData.Origin, data.RPIDHash); err != nil {
		return nil, err
	}
	w, err := party(rp)
	if err != nil {
		return nil, err
	}
	parsed.Response.UserHandle = nil
	c, err := w.ValidateLogin(&person{passkeys: []webauthn.Credential{{
		ID: p.ID, PublicKey: p.PublicKey,
		Flags: webauthn.CredentialFlags{UserPresent: true, UserVerified: true, BackupEligible: p.Synced, BackupState: p.BackedUp},
	}}}, webauthn.SessionData{
		Challenge: protocol.URLEncodedBase64(challenge).String(), RelyingPartyID: rp.ID, UserVerification: protocol.VerificationRequired,
	}, parsed)
	if err != nil {
		return nil, refused("The passkey could not be verified: its answer is of another ceremony, was changed, or was given without unlocking the device.", err)
	}
	now := *p
	now.BackedUp, now.Counter = c.Flags.BackupState, data.Counter
	return &now, nil
}

// elsewhere refuses what was made on another site's page, or for another relying party. The library looks at both too; here
// they are told, and compared without any folding.
func elsewhere(rp *countersign.RelyingParty, origin string, hash []byte) error {
	if !slices.Contains(rp.Origins, origin) {
		return refused("The passkey was asked for by a page of another site than the app's.", nil)
	}
	if want := sha256.Sum256([]byte(rp.ID)); !bytes.Equal(hash, want[:]) {
		return refused("The passkey is of another site than the app's.", nil)
	}
	return nil
}

func size(answer []byte) error {
	if len(answer) > maxAnswer {
		return malformed(errors.New("too long"))
	}
	return nil
}

func malformed(cause error) error {
	return &countersign.Error{
		Kind: countersign.ErrInvalidRequest, Pointer: "/credential", Err: cause,
		Detail: "This is not a credential as PublicKeyCredential.toJSON() gives it.",
	}
}

func refused(detail string, cause error) error {
	return &countersign.Error{Kind: countersign.ErrPasskeyRefused, Detail: detail, Err: cause}
}
