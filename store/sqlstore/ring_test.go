package sqlstore_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"countersign"
	"countersign/phone"
	"countersign/store/sqlstore"
)

func master(n byte) []byte { return bytes.Repeat([]byte{n}, sqlstore.MasterKeySize) }

// crosses says whether what a seals is opened by b.
func crosses(t testing.TB, a, b *countersign.Keyring) bool {
	t.Helper()
	sealed, err := a.Seal("x", []byte("hello"))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := b.Open("x", sealed)
	return err == nil && string(plain) == "hello"
}

func TestEnsureRing(t *testing.T) {
	onBoth(t, func(t *testing.T, source string) {
		d := open(t, source, sqlstore.Options{})
		if d.Ring() != nil {
			t.Error("there is a ring before EnsureRing")
		}
		if err := d.EnsureRing(t.Context(), master(1)[:31]); err == nil {
			t.Error("a master key of 31 bytes was taken")
		}
		if err := d.EnsureRing(t.Context(), master(1)); err != nil {
			t.Fatal(err)
		}
		again := open(t, source, sqlstore.Options{})
		if err := again.EnsureRing(t.Context(), master(2)); !errors.Is(err, sqlstore.ErrMasterKey) {
			t.Fatalf("EnsureRing with another master key = %v, want %v", err, sqlstore.ErrMasterKey)
		}
		if again.Ring() != nil {
			t.Error("a wrong master key gave a ring")
		}
		if err := again.EnsureRing(t.Context(), master(1)); err != nil {
			t.Fatal(err)
		}
		if !crosses(t, d.Ring(), again.Ring()) {
			t.Error("after a restart the ring is another one")
		}
	})
}

// Nodes that start at once on an empty database, migrations and all, end up with one ring. The control makes its ring
// by looking first and writing then, and must be caught.
func TestOneRingOfManyNodes(t *testing.T) {
	const trials, nodes = 12, 4
	onBoth(t, func(t *testing.T, source string) {
		db := raw(t, source)
		var open4 [nodes]*sqlstore.DB
		race(nodes, func(n int) { open4[n] = open(t, source, patient) })
		if t.Failed() {
			return
		}
		for trial := range trials {
			if _, err := db.Exec(`DELETE FROM ring_keys`); err != nil {
				t.Fatal(err)
			}
			race(nodes, func(n int) {
				if err := open4[n].EnsureRing(context.Background(), master(1)); err != nil {
					t.Errorf("trial %d: %v", trial, err)
				}
			})
			if t.Failed() {
				return
			}
			for _, d := range open4[1:] {
				if !crosses(t, open4[0].Ring(), d.Ring()) {
					t.Fatalf("trial %d: two rings", trial)
				}
			}
		}

		if _, err := db.Exec(`CREATE TABLE naive_ring (secret BYTEA)`); err != nil {
			t.Fatal(err)
		}
		caught := false
		for trial := 0; trial < 20*trials && !caught; trial++ {
			if _, err := db.Exec(`DELETE FROM naive_ring`); err != nil {
				t.Fatal(err)
			}
			var made atomic.Int64
			race(nodes, func(int) {
				if naiveRing(t, db) {
					made.Add(1)
				}
			})
			caught = made.Load() > 1
		}
		if !caught {
			t.Error("the control was never caught: these trials prove nothing")
		}
	})
}

func naiveRing(t *testing.T, db *sql.DB) (made bool) {
	var n int
	if err := db.QueryRow(`SELECT count(*) FROM naive_ring`).Scan(&n); err != nil || n > 0 {
		return false
	}
	secret := make([]byte, 32)
	rand.Read(secret)
	for {
		_, err := db.Exec(`INSERT INTO naive_ring (secret) VALUES ($1)`, secret)
		if err == nil || !strings.Contains(err.Error(), "locked") {
			if err != nil {
				t.Error(err)
			}
			return err == nil
		}
	}
}

func TestRotateRing(t *testing.T) {
	onBoth(t, func(t *testing.T, source string) {
		var now atomic.Int64
		now.Store(epoch.UnixNano())
		opts := sqlstore.Options{Now: func() time.Time { return time.Unix(0, now.Load()) }, Refresh: 10 * time.Millisecond}
		here, there := open(t, source, opts), open(t, source, opts)
		for _, d := range []*sqlstore.DB{here, there} {
			if err := d.EnsureRing(t.Context(), master(1)); err != nil {
				t.Fatal(err)
			}
			keepFresh(t, d)
		}
		sealKey := func(d *sqlstore.DB) string {
			b, err := d.Ring().Seal("x", nil)
			if err != nil {
				t.Fatal(err)
			}
			return fmt.Sprint(b[0], b[1])
		}
		old := here.Ring()
		k, err := here.RotateRing(t.Context(), countersign.KeySeal, opts.Now())
		if err != nil || k.ID != 2 || k.Secret != nil || !k.Activates.Equal(epoch.Add(sqlstore.RotationDelay)) {
			t.Fatalf("RotateRing = %s (secret %t) at %s, %v", k, k.Secret != nil, k.Activates, err)
		}
		if got := sealKey(here); got != "0 1" {
			t.Errorf("a fresh key seals at once: %s", got)
		}
		if _, err := here.RotateRing(t.Context(), countersign.KeySeal, opts.Now()); !errors.Is(err, sqlstore.ErrTooSoon) {
			t.Errorf("a second rotation = %v, want %v", err, sqlstore.ErrTooSoon)
		}
		if _, err := here.RotateRing(t.Context(), "nonsense", opts.Now()); err == nil {
			t.Error("rotating nonsense succeeded")
		}
		now.Add(int64(sqlstore.RotationDelay))
		for _, d := range []*sqlstore.DB{here, there} {
			eventually(t, 5*time.Second, "the key is in use on both nodes", func() bool { return sealKey(d) == "0 2" })
			if !crosses(t, old, d.Ring()) {
				t.Error("what the old key sealed does not open")
			}
		}
		now.Add(int64(countersign.MaxLifetime + 2*time.Minute))
		if k, err := there.RotateRing(t.Context(), countersign.KeySeal, opts.Now()); err != nil || k.ID != 3 {
			t.Errorf("a rotation in time = %s, %v, want seal/3", k, err)
		}
	})
}

// A phone key counts beside the one in use from the moment at which it is known, takes its place a day later, and the old
// one counts beside it until two days are over. On each node it is a matter of the clock.
func TestRotatePhoneKey(t *testing.T) {
	onBoth(t, func(t *testing.T, source string) {
		var now atomic.Int64
		now.Store(epoch.UnixNano())
		opts := sqlstore.Options{Now: func() time.Time { return time.Unix(0, now.Load()) }, Refresh: 10 * time.Millisecond}
		here, there := open(t, source, opts), open(t, source, opts)
		for _, d := range []*sqlstore.DB{here, there} {
			if err := d.EnsureRing(t.Context(), master(1)); err != nil {
				t.Fatal(err)
			}
			keepFresh(t, d)
		}
		number, err := phone.Parse("+14155550123", "")
		if err != nil {
			t.Fatal(err)
		}
		to := countersign.PhoneAddress(number)
		old, lookup := here.Ring().PhoneHash(to), here.Ring().LookupHash("x", "y")
		k, err := here.RotateRing(t.Context(), countersign.KeyPhone, opts.Now())
		if err != nil || k.ID != 2 || !k.Activates.Equal(epoch.Add(countersign.PhoneSwitch)) {
			t.Fatalf("RotateRing = %s at %s, %v", k, k.Activates, err)
		}
		var fresh countersign.Hash
		for _, d := range []*sqlstore.DB{here, there} {
			eventually(t, 30*time.Second, "both keys count on both nodes", func() bool { return d.Ring().Rotating() })
			fresh, _ = d.Ring().Twin(to, old)
			if d.Ring().PhoneHash(to) != old || fresh.IsZero() || fresh == old {
				t.Errorf("at once the hashes are %s and %s", d.Ring().PhoneHash(to).Hex(), fresh.Hex())
			}
		}
		if _, err := there.RotateRing(t.Context(), countersign.KeyPhone, opts.Now()); !errors.Is(err, sqlstore.ErrStillRotating) {
			t.Errorf("a second rotation = %v, want %v", err, sqlstore.ErrStillRotating)
		}
		now.Add(int64(countersign.PhoneSwitch))
		for _, d := range []*sqlstore.DB{here, there} {
			eventually(t, 30*time.Second, "the new key is in use", func() bool { return d.Ring().PhoneHash(to) == fresh })
			if twin, ok := d.Ring().Twin(to, fresh); !ok || twin != old {
				t.Error("the old key does not count beside the new one")
			}
		}
		now.Add(int64(countersign.PhoneRotation - countersign.PhoneSwitch))
		for _, d := range []*sqlstore.DB{here, there} {
			eventually(t, 30*time.Second, "the rotation is over", func() bool { return !d.Ring().Rotating() })
			if former := d.Ring().FormerHashes(to); len(former) != 1 || former[0] != old || d.Ring().PhoneHash(to) != fresh {
				t.Errorf("after it the former hashes are %v", former)
			}
			if d.Ring().LookupHash("x", "y") != lookup {
				t.Error("a rotation changed the hashes of what is not a phone")
			}
		}
		if k, err := there.RotateRing(t.Context(), countersign.KeyPhone, opts.Now()); err != nil || k.ID != 3 {
			t.Errorf("a rotation in time = %s, %v, want phone/3", k, err)
		}
	})
}

func TestReseal(t *testing.T) {
	onBoth(t, func(t *testing.T, source string) {
		d := open(t, source, sqlstore.Options{})
		if err := d.EnsureRing(t.Context(), master(1)); err != nil {
			t.Fatal(err)
		}
		if err := d.EnsureSigning(t.Context(), sqlstore.SigningKey{ID: "kid", PKCS8: []byte("private-canary")}); err != nil {
			t.Fatal(err)
		}
		before := d.Ring()
		other := open(t, source, sqlstore.Options{})
		if err := other.Reseal(t.Context(), master(9), master(2)); !errors.Is(err, sqlstore.ErrMasterKey) {
			t.Errorf("Reseal with a wrong old key = %v, want %v", err, sqlstore.ErrMasterKey)
		}
		if err := other.Reseal(t.Context(), master(1), master(2)); err != nil {
			t.Fatal(err)
		}
		if !crosses(t, before, other.Ring()) || string(other.SigningKeys()[0].PKCS8) != "private-canary" {
			t.Error("after Reseal the keys are others")
		}
		fresh := open(t, source, sqlstore.Options{})
		if err := fresh.EnsureRing(t.Context(), master(1)); !errors.Is(err, sqlstore.ErrMasterKey) {
			t.Errorf("the old master key = %v, want %v", err, sqlstore.ErrMasterKey)
		}
		if err := fresh.EnsureRing(t.Context(), master(2)); err != nil {
			t.Errorf("the new master key = %v", err)
		}
	})
}

// A node that runs while the master key is changed goes on, says so, and keeps its keys and opt-outs fresh.
func TestResealUnderARunningNode(t *testing.T) {
	onBoth(t, func(t *testing.T, source string) {
		reports := make(chan error, 100)
		running := open(t, source, sqlstore.Options{Report: func(err error) { reports <- err }, Refresh: 10 * time.Millisecond})
		if err := running.EnsureRing(t.Context(), master(1)); err != nil {
			t.Fatal(err)
		}
		keepFresh(t, running)
		other := open(t, source, sqlstore.Options{})
		if err := other.Reseal(t.Context(), master(1), master(2)); err != nil {
			t.Fatal(err)
		}
		if err := <-reports; !errors.Is(err, sqlstore.ErrMasterKey) {
			t.Errorf("reported %v, want %v", err, sqlstore.ErrMasterKey)
		}
		if !crosses(t, other.Ring(), running.Ring()) {
			t.Error("the running node lost its ring")
		}
		_, text, err := other.NewKey(t.Context(), "demo", sqlstore.KeySecret, "")
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, time.Second, "a new key works on the running node", func() bool { _, ok := running.FindKey(text); return ok })
		eventually(t, time.Second, "its memory is fresh", func() bool { return running.Age() < 200*time.Millisecond })
	})
}

// A wrapped secret that was moved to another row does not open.
func TestWrappedSecretsAreBound(t *testing.T) {
	onBoth(t, func(t *testing.T, source string) {
		d := open(t, source, sqlstore.Options{})
		if err := d.EnsureRing(t.Context(), master(1)); err != nil {
			t.Fatal(err)
		}
		_, err := raw(t, source).Exec(`UPDATE ring_keys SET wrapped = (SELECT wrapped FROM ring_keys WHERE use_name = 'tag') WHERE use_name = 'code'`)
		if err != nil {
			t.Fatal(err)
		}
		if err := open(t, source, sqlstore.Options{}).EnsureRing(t.Context(), master(1)); !errors.Is(err, sqlstore.ErrMasterKey) {
			t.Errorf("a moved secret: %v, want %v", err, sqlstore.ErrMasterKey)
		}
	})
}

func TestSigningKeys(t *testing.T) {
	onBoth(t, func(t *testing.T, source string) {
		var now atomic.Int64
		now.Store(epoch.UnixNano())
		sets := make(chan string, 20)
		opts := sqlstore.Options{
			Now: func() time.Time { return time.Unix(0, now.Load()) }, Refresh: 10 * time.Millisecond,
			SigningChanged: func(keys []sqlstore.SigningKey) { sets <- ids(keys) },
		}
		d := open(t, source, opts)
		key := func(id string) sqlstore.SigningKey {
			return sqlstore.SigningKey{ID: id, PKCS8: []byte("private-canary-" + id)}
		}
		if err := d.EnsureSigning(t.Context(), key("a")); err == nil {
			t.Error("a signing key was stored before there was a master key")
		}
		if err := d.EnsureRing(t.Context(), master(1)); err != nil {
			t.Fatal(err)
		}
		for _, id := range []string{"a", "b"} {
			if err := d.EnsureSigning(t.Context(), key(id)); err != nil {
				t.Fatal(err)
			}
		}
		keepFresh(t, d)
		expectSets(t, sets, "", "a")
		activates, err := d.RotateSigning(t.Context(), key("c"))
		if err != nil || !activates.Equal(epoch.Add(sqlstore.SigningDelay)) {
			t.Fatalf("RotateSigning = %s, %v", activates, err)
		}
		expectSets(t, sets, "a c")
		if got := d.SigningKeys(); !got[0].Retired.Equal(activates) || !got[1].Activates.Equal(activates) || !got[1].Retired.IsZero() {
			t.Errorf("after a rotation: %+v", got)
		}
		if _, err := d.RotateSigning(t.Context(), key("d")); err == nil {
			t.Error("a rotation during a rotation succeeded")
		}
		now.Store(activates.Add(sqlstore.SigningGrace - 1).UnixNano())
		if got := ids(d.SigningKeys()); got != "a c" {
			t.Errorf("within the grace %q are published, want both", got)
		}
		now.Store(activates.Add(sqlstore.SigningGrace + 1).UnixNano())
		expectSets(t, sets, "c")
		if _, err := d.Prune(t.Context(), epoch); err != nil {
			t.Fatal(err)
		}
		dump := dumpTable(t, source, "signing_keys")
		if strings.Contains(dump, "canary") {
			t.Error("a private key is in clear")
		}
		if !strings.HasPrefix(dump, "c|") {
			t.Error("a retired key was kept")
		}
	})
}

func TestSigningKeyPrintsNoSecret(t *testing.T) {
	k := sqlstore.SigningKey{ID: "z", PKCS8: []byte("private-canary")}
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		for _, v := range []any{k, &k, []sqlstore.SigningKey{k}} {
			if s := fmt.Sprintf(format, v); strings.Contains(s, "canary") || strings.Contains(s, "112") || strings.Contains(s, "0x70") {
				t.Errorf("%s prints the private half: %s", format, s)
			}
		}
	}
}

func ids(keys []sqlstore.SigningKey) string {
	list := make([]string, len(keys))
	for i, k := range keys {
		list[i] = k.ID
	}
	return strings.Join(list, " ")
}

func expectSets(t *testing.T, sets <-chan string, want ...string) {
	t.Helper()
	for _, w := range want {
		select {
		case got := <-sets:
			if got != w {
				t.Fatalf("told of the signing keys %q, want %q", got, w)
			}
		case <-time.After(time.Minute):
			t.Fatalf("never told of the signing keys %q", w)
		}
	}
}
