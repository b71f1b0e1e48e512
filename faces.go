package countersign

import (
	"context"
	"crypto/rand"
	"errors"
	"time"
)

// This file has what the vendors' faces need beside the moves of every face.

// Bytes of the random part of an id that a face with identifiers of 128 bits can give back: with the shard and a digit of
// its own they fill such an identifier. The first bit says whether the verification is of a transaction.
const packedBytes = 14

// newID makes the id of what is asked for. On the Twilio face 111 of its bits are random.
func (q *StartRequest) newID(phone Hash) string {
	if q.Face != FaceTwilio {
		return verificationPrefix + phone.Shard() + newID("")
	}
	var b [16]byte
	rand.Read(b[:packedBytes]) // never fails (crypto/rand, since Go 1.24)
	b[0] &= 0x7f
	if q.Transaction != nil {
		b[0] |= 0x80
	}
	return verificationPrefix + phone.Shard() + base32Lower.EncodeToString(b[:])
}

// PackID takes out of a verification's id what names it: its shard and 14 bytes. False for one that was not begun on the
// Twilio face.
func PackID(id string) (shard string, b [packedBytes]byte, ok bool) {
	if !ValidVerificationID(id) {
		return "", b, false
	}
	whole, err := base32Lower.DecodeString(id[len(verificationPrefix)+shardChars:])
	if err != nil || len(whole) != 16 || whole[14] != 0 || whole[15] != 0 {
		return "", b, false
	}
	return ShardOf(id), [packedBytes]byte(whole), true
}

// UnpackID is the way back, and says whether the verification is of a transaction.
func UnpackID(shard string, b [packedBytes]byte) (id string, transaction bool) {
	var whole [16]byte
	copy(whole[:], b[:])
	return verificationPrefix + shard + base32Lower.EncodeToString(whole[:]), b[0]&0x80 != 0
}

// Live lists an address's pending verifications on a face, newest first.
func (v *Verifier) Live(ctx context.Context, app *App, to Address, face Face) ([]*Verification, error) {
	pending, err := v.moves.pending(ctx, v.cfg.Keys(), app.ID, to, "")
	if err != nil {
		return nil, err
	}
	var list []*Verification
	for _, r := range pending {
		if r.Face != face {
			continue
		}
		d, err := v.describe(v.fromLog(r))
		if err != nil {
			return nil, err
		}
		list = append(list, d)
	}
	return list, nil
}

// vouched stands where an approval that a code brought about has the id of its proof.
const vouched = "app"

// Vouch ends a pending verification as approved on the app's own word. Nobody typed the code, so there is no proof and
// nothing is given back: neither guesses nor budgets, and no range of numbers becomes familiar by it.
func (v *Verifier) Vouch(ctx context.Context, q *CancelRequest) (*Verification, error) {
	if !ValidVerificationID(q.ID) {
		return nil, notFound()
	}
	ctx = detached(ctx)
	o, err := v.cfg.Store.Cancel(ctx, &Cancel{App: q.App.ID, ID: q.ID, Status: StatusApproved, Request: request(v.cfg.Keys(), q.Idempotency)})
	if err != nil {
		if o, err = v.forgotten(ctx, q.App, q.ID, err); err != nil {
			return nil, err
		}
		if o.Record.Status == StatusApproved {
			return v.describe(o) // to approve twice is fine, however late
		}
	}
	if o.Result != OutcomeOK {
		return nil, refusal(o)
	}
	if o.Replayed {
		return v.describe(o)
	}
	if q.App.Policy.SQLApprove {
		ours, err := v.cfg.Log.Approve(ctx, o.Record.ID, vouched, o.Record.Ended)
		if err != nil {
			return nil, err
		}
		if !ours {
			// Approved by a code before, which the store forgot (a failover); the log did not.
			return nil, closed()
		}
	}
	v.cfg.Observer.Observe(Event{
		Name: EventVouched, App: o.Record.App, Verification: shortID(o.Record.ID), Channel: o.Record.Channel, Country: o.Record.Country,
		Purpose: o.Record.Purpose, Test: o.Record.Test, Face: o.Record.Face, Result: string(StatusApproved),
	})
	v.ended(o.Record)
	return v.describe(o)
}

// FaceObject is what an app made through a face: a service, a limit on keys of its own, a number that it keeps.
type FaceObject struct {
	App    string
	SID    string // the face's identifier
	Kind   string
	Parent string // the SID of what it belongs to; "" for none
	Name   string // unique among those of one app, kind and parent; a keyed hash where it could name a person
	Body   []byte // sealed, bound to SID

	Created, Updated time.Time
}

// ErrObjectExists says that another object has the name.
var ErrObjectExists = errors.New("there is one of this name")
