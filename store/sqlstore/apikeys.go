package sqlstore

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/base32"
	"fmt"
	"math/big"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"countersign"
)

// This file keeps API keys. A key has 256 random bits, so a plain SHA-256 is as good as a slow hash and makes it
// found without a comparison that could be timed.

// KeyKind says what an API key may do.
type KeyKind string

// The kinds.
const (
	KeySecret      KeyKind = "secret"      // for servers: everything
	KeyPublishable KeyKind = "publishable" // for browsers and phones: one's own verification
)

func (k KeyKind) prefix() string {
	if k == KeyPublishable {
		return "pk_"
	}
	return "sk_"
}

// KeyInfo is what is known of an API key; its text is shown once, when it is made.
type KeyInfo struct {
	ID      string // key_…
	App     string
	Kind    KeyKind
	Name    string // the operator's, to tell keys apart
	Display string // the prefix and the last four characters
	Created time.Time
	Revoked time.Time // zero while it works
}

const (
	keyChars    = 43 // 62^43 > 2^256
	maxKeyName  = 64
	base62      = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	keyColumns  = `id, app, kind, name, display, created, revoked`
	displayTail = 4
)

type keySet map[[sha256.Size]byte]KeyInfo

// newKeyText draws a key: 256 random bits as a number in base 62.
func newKeyText(kind KeyKind) string {
	var b [32]byte
	rand.Read(b[:]) // never fails (crypto/rand, since Go 1.24)
	n, base, digit := new(big.Int).SetBytes(b[:]), big.NewInt(int64(len(base62))), new(big.Int)
	text := make([]byte, keyChars)
	for i := len(text) - 1; i >= 0; i-- {
		n.DivMod(n, base, digit)
		text[i] = base62[digit.Int64()]
	}
	return kind.prefix() + string(text)
}

func newKeyID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails (crypto/rand, since Go 1.24)
	return "key_" + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:]))
}

// NewKey makes an API key of an app. The text is shown to the operator and kept nowhere.
func (d *DB) NewKey(ctx context.Context, app string, kind KeyKind, name string) (KeyInfo, string, error) {
	if err := validKey(app, kind, name); err != nil {
		return KeyInfo{}, "", err
	}
	text := newKeyText(kind)
	hash := sha256.Sum256([]byte(text))
	k := KeyInfo{
		ID: newKeyID(), App: app, Kind: kind, Name: name,
		Display: kind.prefix() + "…" + text[len(text)-displayTail:], Created: from(instant(d.opts.Now())),
	}
	err := d.change(ctx, d.opts.Timeout, func(ctx context.Context, tx *sql.Tx) error {
		if _, err := raise(ctx, tx, topicKeys); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO api_keys (`+keyColumns+`, hash) VALUES ($1, $2, $3, $4, $5, $6, 0, $7)`,
			k.ID, k.App, string(k.Kind), k.Name, k.Display, instant(k.Created), hash[:])
		return err
	})
	if err != nil {
		return KeyInfo{}, "", err
	}
	d.changed(ctx)
	return k, text, nil
}

func validKey(app string, kind KeyKind, name string) error {
	bad := func(detail string) error { return countersign.Fail(countersign.ErrInvalidRequest, detail) }
	switch {
	case app == "":
		return bad("A key belongs to an app: name one.")
	case kind != KeySecret && kind != KeyPublishable:
		return bad("A key is secret or publishable.")
	case !utf8.ValidString(name) || utf8.RuneCountInString(name) > maxKeyName || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }):
		return bad(fmt.Sprintf("A key's name has at most %d printable characters.", maxKeyName))
	}
	return nil
}

// Keys lists the API keys of an app, revoked ones too, oldest first; of every app when app is "".
func (d *DB) Keys(ctx context.Context, app string) ([]KeyInfo, error) {
	var list []KeyInfo
	err := d.query(ctx, d.opts.Timeout, func(ctx context.Context) error {
		list = nil
		rows, err := d.read.QueryContext(ctx, `SELECT `+keyColumns+` FROM api_keys WHERE app = $1 OR $1 = '' ORDER BY created, id`, app)
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			k, err := scanKey(rows)
			if err != nil {
				return err
			}
			list = append(list, k)
		}
		return rows.Err()
	})
	return list, err
}

func scanKey(s scanner, more ...any) (KeyInfo, error) {
	var (
		k                KeyInfo
		created, revoked int64
	)
	err := s.Scan(append([]any{&k.ID, &k.App, &k.Kind, &k.Name, &k.Display, &created, &revoked}, more...)...)
	k.Created, k.Revoked = from(created), from(revoked)
	return k, err
}

// RevokeKey ends a key: here at once, on every node within a second. Revoking it again is no error; a key that never
// was is ErrNotFound.
func (d *DB) RevokeKey(ctx context.Context, id string) error {
	err := d.change(ctx, d.opts.Timeout, func(ctx context.Context, tx *sql.Tx) error {
		if _, err := raise(ctx, tx, topicKeys); err != nil {
			return err
		}
		// The first revocation's time stays.
		done, err := tx.ExecContext(ctx, `UPDATE api_keys SET revoked = CASE WHEN revoked = 0 THEN $2 ELSE revoked END WHERE id = $1`,
			id, instant(d.opts.Now()))
		if err != nil {
			return err
		}
		if n, err := done.RowsAffected(); err != nil || n > 0 {
			return err
		}
		return refusal{countersign.Fail(countersign.ErrNotFound, "There is no such key.")}
	})
	if err != nil {
		return err
	}
	d.changed(ctx)
	return nil
}

// FindKey finds the key of a text, from memory. A revoked one is not found.
func (d *DB) FindKey(text string) (KeyInfo, bool) {
	k, ok := (*d.keys.Load())[sha256.Sum256([]byte(text))]
	return k, ok
}

func (d *DB) loadKeys(ctx context.Context, _ int64) error {
	rows, err := d.read.QueryContext(ctx, `SELECT `+keyColumns+`, hash FROM api_keys WHERE revoked = 0`)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	set := make(keySet)
	for rows.Next() {
		var hash []byte
		k, err := scanKey(rows, &hash)
		if err != nil {
			return err
		}
		set[[sha256.Size]byte(hash)] = k
	}
	if err := rows.Err(); err != nil {
		return err
	}
	d.keys.Store(&set)
	return nil
}
