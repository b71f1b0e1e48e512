package countersign

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// This file brings under a new phone key what outlives the counts: the opt-outs, which are for ever, and the wrong guesses
// in a row with the hard stop, which last 30 days. A hash does not say whose it is, so the number must be known: an opt-out
// has it, sealed, and a phone with wrong guesses is in the log, which is kept as long as they are.

// Streak is how many wrong guesses in a row a phone has had.
type Streak struct {
	Phone Hash
	Count int
	Last  time.Time
}

const rekeyEvery = time.Second

// optOutOwner is what the number of an opt-out is sealed for.
func optOutOwner(sender string) string { return "opt-out " + sender }

// rekeying is how far that has come in this process.
type rekeying struct {
	mu   sync.Mutex
	done *Keyring // the ring under which everything is kept
}

// Rekey does it once for every ring: when the process starts, when a key becomes known, when it takes the old one's place, and
// when the rotation is over. In between everything is counted and written under both keys. Every node does it, and each step
// may be made twice. Run calls it every second.
func (v *Verifier) Rekey(ctx context.Context) error {
	ring := v.cfg.Keys()
	v.rekeying.mu.Lock()
	defer v.rekeying.mu.Unlock()
	if len(ring.former) == 0 || ring == v.rekeying.done {
		return nil
	}
	if err := v.rekeyOptOuts(ctx, ring); err != nil {
		return err
	}
	if err := v.rekeyStreaks(ctx, ring); err != nil {
		return err
	}
	v.rekeying.done = ring
	step := "everything is under the new key"
	if ring.Rotating() {
		step = "everything is counted under both keys"
	}
	v.cfg.Observer.Observe(Event{Name: EventRekeyed, Result: step})
	return nil
}

func (v *Verifier) rekey(ctx context.Context) {
	if err := v.Rekey(ctx); err != nil && ctx.Err() == nil {
		v.fault("re-keying after a rotation of the phone key", nil, err)
	}
}

// rekeyOptOuts writes every opt-out under the key in use, and under the one to come. What stands under a key that is past
// is lifted there once it stands here. An opt-out whose number nobody knows stays where it is, and is found there.
func (v *Verifier) rekeyOptOuts(ctx context.Context, ring *Keyring) error {
	list, err := v.cfg.Log.OptOuts(ctx)
	if err != nil {
		return fmt.Errorf("reading the opt-outs: %w", err)
	}
	type kept struct {
		sender string
		phone  Hash
	}
	have := make(map[kept]bool, len(list))
	for _, o := range list {
		have[kept{o.Sender, o.Phone}] = true
	}
	for _, o := range list {
		to, ok, err := v.ofOptOut(ctx, ring, &o)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		for _, phone := range hashes(ring, to) {
			if have[kept{o.Sender, phone}] {
				continue
			}
			again := o
			again.Phone, again.Out = phone, true
			if again.Sealed == nil {
				if again.Sealed, err = ring.Seal(optOutOwner(o.Sender), []byte(to.encode())); err != nil {
					return err
				}
			}
			if _, err := v.cfg.Log.OptOut(ctx, &again); err != nil {
				return fmt.Errorf("writing an opt-out: %w", err)
			}
			have[kept{o.Sender, phone}] = true
		}
		if !slices.Contains(hashes(ring, to), o.Phone) {
			if _, err := v.cfg.Log.OptOut(ctx, &OptOut{Sender: o.Sender, Phone: o.Phone, At: v.Now()}); err != nil {
				return fmt.Errorf("lifting an opt-out under a former key: %w", err)
			}
		}
	}
	return nil
}

// ofOptOut is the number of an opt-out; false where nobody knows it.
func (v *Verifier) ofOptOut(ctx context.Context, ring *Keyring, o *OptOut) (Address, bool, error) {
	if o.Sealed == nil {
		return v.numberOf(ctx, ring, o.Phone)
	}
	plain, err := ring.Open(optOutOwner(o.Sender), o.Sealed)
	if err != nil {
		return Address{}, false, fmt.Errorf("reading an opt-out: %w", err)
	}
	to, err := decodeAddress(string(plain))
	return to, err == nil, err
}

// numberOf finds the address of a hash in the log; false where no verification of the last 30 days was for it.
func (v *Verifier) numberOf(ctx context.Context, ring *Keyring, phone Hash) (Address, bool, error) {
	rows, err := v.cfg.Log.List(ctx, ListQuery{Phone: phone, Limit: 1})
	if err != nil || len(rows) == 0 {
		return Address{}, false, err
	}
	_, to, err := openRecord(ring, rows[0])
	return to, err == nil, err
}

// rekeyStreaks counts the wrong guesses in a row of attacked phones under the keys that count now.
func (v *Verifier) rekeyStreaks(ctx context.Context, ring *Keyring) error {
	if v.cfg.Streaks == nil {
		return nil
	}
	list, err := v.cfg.Streaks(ctx)
	if err != nil {
		return fmt.Errorf("reading the wrong guesses in a row: %w", err)
	}
	for _, s := range list {
		to, ok, err := v.numberOf(ctx, ring, s.Phone)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		for _, phone := range hashes(ring, to) {
			if phone == s.Phone {
				continue
			}
			if _, err := v.cfg.Store.Count(ctx, &Count{Phone: phone, What: CountStreak, Streak: s.Count, At: s.Last}); err != nil {
				return err
			}
		}
	}
	return nil
}

// UnlockHash lifts the lock-out and the hard stop of a phone that is known by its hash alone, under every key that counts.
func (v *Verifier) UnlockHash(ctx context.Context, phone Hash) (bool, error) {
	ring := v.cfg.Keys()
	if ring.Rotating() {
		to, ok, err := v.numberOf(ctx, ring, phone)
		if err != nil {
			return false, err
		}
		if ok {
			return Unlock(ctx, v.cfg.Store, ring, to)
		}
	}
	return v.cfg.Store.Unlock(ctx, phone)
}
