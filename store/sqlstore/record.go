package sqlstore

import (
	"encoding/json"
	"fmt"

	"countersign"
)

// This file turns records into rows and back. Get returns what Write got, to the nanosecond.

// columns are a row's, in the order of row.args and of every SELECT.
const columns = `id, app, purpose, channel, face, status, phone, ref_hash, created, expires, seq, sealed, body`

// columnCount is how many those are.
const columnCount = 13

// body is what no list selects by. Short names: there are millions of rows. appendBody writes it.
type body struct {
	Country     string                 `json:"c,omitempty"`
	Ended       int64                  `json:"e,omitempty"`
	Alphabet    countersign.Alphabet   `json:"a,omitempty"`
	Length      int                    `json:"n,omitempty"`
	CodeKey     uint16                 `json:"k,omitempty"`
	Nonce       []byte                 `json:"no,omitempty"`
	TagKey      uint16                 `json:"tk,omitempty"`
	Tag         []byte                 `json:"t,omitempty"`
	TxnHash     []byte                 `json:"x,omitempty"`
	Hosted      string                 `json:"h,omitempty"`
	HostedRef   string                 `json:"hr,omitempty"`
	HostedScope []byte                 `json:"hs,omitempty"`
	Test        bool                   `json:"test,omitempty"`
	Checks      int                    `json:"ch,omitempty"`
	MaxChecks   int                    `json:"mc,omitempty"`
	Sends       int                    `json:"s,omitempty"`
	MaxSends    int                    `json:"ms,omitempty"`
	Lease       int64                  `json:"l,omitempty"`
	JTI         string                 `json:"j,omitempty"`
	ApprovedBy  []byte                 `json:"by,omitempty"`
	IssuedAt    int64                  `json:"i,omitempty"`
	Deliveries  []countersign.Delivery `json:"d,omitempty"`
}

func hashBytes(h countersign.Hash) []byte {
	if h.IsZero() {
		return nil
	}
	return h[:]
}

func hashFrom(b []byte) (h countersign.Hash) {
	copy(h[:], b)
	return h
}

// appendRow adds a record's columns to the arguments of a statement.
func appendRow(args []any, r *countersign.Record) []any {
	return append(args, r.ID, r.App, string(r.Purpose), string(r.Channel), string(r.Face), string(r.Status),
		r.Phone[:], hashBytes(r.RefHash), instant(r.Created), instant(r.Expires), int64(r.Seq), r.Sealed, string(appendBody(nil, r)))
}

// scanner is a *sql.Row or *sql.Rows.
type scanner interface{ Scan(dest ...any) error }

func scanRow(s scanner) (*countersign.Record, error) {
	var (
		r                countersign.Record
		phone, ref       []byte
		created, expires int64
		text             []byte
	)
	err := s.Scan(&r.ID, &r.App, &r.Purpose, &r.Channel, &r.Face, &r.Status, &phone, &ref, &created, &expires, &r.Seq, &r.Sealed, &text)
	if err != nil {
		return nil, err
	}
	var b body
	if err := json.Unmarshal(text, &b); err != nil {
		return nil, refusal{fmt.Errorf("decoding a row of the log: %w", err)}
	}
	r.Phone, r.RefHash = hashFrom(phone), hashFrom(ref)
	r.Created, r.Expires, r.Ended = from(created), from(expires), from(b.Ended)
	r.Country, r.Alphabet, r.Length = b.Country, b.Alphabet, b.Length
	r.CodeKey, r.Nonce, r.TxnHash = b.CodeKey, b.Nonce, b.TxnHash
	r.Tag.Key = b.TagKey
	copy(r.Tag.Sum[:], b.Tag)
	r.Hosted, r.HostedRef, r.HostedScope, r.Test = b.Hosted, b.HostedRef, hashFrom(b.HostedScope), b.Test
	r.Checks, r.MaxChecks, r.Sends, r.MaxSends = b.Checks, b.MaxChecks, b.Sends, b.MaxSends
	r.Lease, r.IssuedAt = from(b.Lease), from(b.IssuedAt)
	r.JTI, r.ApprovedBy, r.Deliveries = b.JTI, hashFrom(b.ApprovedBy), b.Deliveries
	return &r, nil
}

// The two statuses that time decides: "expired" is computed where it is read.
const (
	pendingNow = `(status = 'pending' AND expires > %s)`
	expiredNow = `(status = 'expired' OR (status = 'pending' AND expires <= %s))`
)
