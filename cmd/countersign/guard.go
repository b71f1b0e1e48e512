package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"countersign"
	"countersign/guard"
)

// watch does what the guard has no hands for: it shares blocks with the other nodes and writes decisions down.
type watch struct {
	i         *instance
	changes   chan change
	decisions chan *guard.Decision
	file      *os.File // nil when decisions are not kept
}

// change is a block that the guard made, or one that it lifted. Both wait in one queue: a block that was written down after
// it was lifted would come back.
type change struct {
	block  countersign.Block
	lifted string // the id; "" for a new block
}

const (
	watchQueue  = 4096
	shareEvery  = 2 * time.Second
	shareSettle = 10 * time.Second // a block as young as this may be on its way to the database
	shareLast   = 3 * time.Second  // for what waits when the process stops
)

func newWatch(i *instance) (*watch, error) {
	w := &watch{i: i, changes: make(chan change, watchQueue), decisions: make(chan *guard.Decision, watchQueue)}
	if path := i.cfg.Guard.Decisions; path != "" {
		var err error
		if w.file, err = os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600); err != nil {
			return nil, fmt.Errorf("guard.decisions: %w", err)
		}
	}
	return w, nil
}

// config is the guard's, with what it tells this watch. What the watch is too slow for is dropped: a request never waits.
func (w *watch) config(t *tenants) guard.Config {
	cfg := guard.Config{
		Apps: t.policies, Instance: t.shared, Money: t.money, Count: w.i.metrics.Decision, Shadowed: w.i.metrics.Shadow,
		Spent: func(limit, app, country string, percent int) {
			w.i.metrics.Spent(limit, percent)
			w.i.log.Warn("guard: a cap on money is being used up", "limit", limit, "app", app, "country", country, "percent", percent)
		},
		Blocked: func(b countersign.Block) {
			w.i.log.Warn("guard: blocked", "rule", b.Rule, "app", b.App, "subject", b.Subject, "until", b.Until, "level", b.Level)
			w.add(change{block: b})
		},
		Lifted: func(id string) {
			w.i.log.Info("guard: a block was lifted, because what was let through was confirmed", "id", id)
			w.add(change{lifted: id})
		},
	}
	if w.file != nil {
		cfg.Record = func(d *guard.Decision) {
			select {
			case w.decisions <- d:
			default:
				w.i.metrics.Unrecorded()
			}
		}
	}
	return cfg
}

// run works until ctx ends, then writes down what waits.
func (w *watch) run(ctx context.Context) error {
	recorded := make(chan error, 1)
	go func() { recorded <- w.record(ctx) }()
	w.share(ctx)
	tick := time.NewTicker(shareEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			w.saveRest(context.WithoutCancel(ctx))
			return <-recorded
		case c := <-w.changes:
			w.save(context.WithoutCancel(ctx), c) // what was taken out is not lost to a stop
		case <-tick.C:
			w.share(ctx)
		}
	}
}

func (w *watch) add(c change) {
	select {
	case w.changes <- c:
	default:
	}
}

func (w *watch) save(ctx context.Context, c change) {
	var err error
	if c.lifted == "" {
		err = w.i.db.SaveBlock(ctx, c.block)
	} else {
		_, err = w.i.db.EndBlock(ctx, c.lifted, w.i.store.Now())
	}
	if err != nil {
		w.i.log.Error("guard: sharing a block", "error", err)
	}
}

// saveRest writes what waits at the end: a block that only this process knew would be gone with it.
func (w *watch) saveRest(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, shareLast)
	defer cancel()
	for ctx.Err() == nil {
		select {
		case c := <-w.changes:
			w.save(ctx, c)
		default:
			return
		}
	}
}

// share takes over what other nodes block and have lifted.
func (w *watch) share(ctx context.Context) {
	settled := w.i.store.Now().Add(-shareSettle)
	list, err := w.i.db.Blocks(ctx)
	if err != nil {
		if ctx.Err() == nil {
			w.i.log.Error("guard: reading the blocks", "error", err)
		}
		return
	}
	w.i.seen.Learn(list, settled)
}

// record appends decisions, many in one write.
func (w *watch) record(ctx context.Context) error {
	if w.file == nil {
		return nil
	}
	out := bufio.NewWriter(w.file)
	lines := json.NewEncoder(out)
	write := func(d *guard.Decision) {
		if err := lines.Encode(d); err != nil {
			w.i.log.Error("guard: writing the decision log", "error", err)
			out.Reset(w.file)
		}
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case d := <-w.decisions:
			write(d)
		case <-tick.C:
			if err := out.Flush(); err != nil {
				w.i.log.Error("guard: writing the decision log", "error", err)
				out.Reset(w.file)
			}
		case <-ctx.Done():
			for len(w.decisions) > 0 {
				write(<-w.decisions)
			}
			if err := out.Flush(); err != nil {
				return fmt.Errorf("writing the decision log: %w", err)
			}
			return w.file.Close()
		}
	}
}

// guardFace is the guard as the API shows it.
type guardFace struct {
	i *instance
	*countersign.Verifier
}

// streaker is a store that can list the phones that have had many wrong guesses in a row.
type streaker interface {
	Streaks(ctx context.Context, least int) ([]countersign.Streak, error)
}

// streaks come from the store, or from where a store that may forget has them mirrored.
func (i *instance) streaks(ctx context.Context, least int) ([]countersign.Streak, error) {
	if s, ok := i.store.(streaker); ok {
		return s.Streaks(ctx, least)
	}
	locks, err := i.db.Locks(ctx)
	if err != nil {
		return nil, err
	}
	var list []countersign.Streak
	for _, l := range locks {
		if l.Streak >= least && l.Until.After(i.store.Now()) {
			list = append(list, countersign.Streak{Phone: l.Phone, Count: l.Streak, Last: l.Until.Add(-countersign.StreakLifetime)})
		}
	}
	return list, nil
}

// manyInARow is from how many wrong guesses in a row on a phone is among those that a rotation of the phone key re-keys:
// those that Redis mirrors.
const manyInARow = countersign.MaxPhoneChecks/2 + 1

// Blocks implements httpapi.Guard.
func (g guardFace) Blocks(ctx context.Context, app string) ([]countersign.Block, error) {
	list := g.i.seen.Blocks(app, g.i.store.Now())
	stops, err := g.i.streaks(ctx, countersign.MaxPhoneStreak)
	if err != nil {
		return nil, err
	}
	phones := make([]countersign.Block, 0, len(stops))
	for _, s := range stops {
		phones = append(phones, countersign.Block{
			ID: blockPrefix + s.Phone.Hex(), Key: s.Phone, Rule: "phone_hard_stop", Subject: "phone " + s.Phone.Hex()[:8],
			Since: s.Last, Until: s.Last.Add(countersign.StreakLifetime),
			Reason: "A hundred wrong codes in a row since the last approval. It is lifted here, by `countersign unlock PHONE`, or after 30 days.",
		})
	}
	slices.SortFunc(phones, func(a, b countersign.Block) int { return cmp.Compare(a.ID, b.ID) })
	return append(list, phones...), nil
}

const blockPrefix = "blk_"

// Lift implements httpapi.Guard.
func (g guardFace) Lift(ctx context.Context, app, id string) (bool, error) {
	now := g.i.store.Now()
	for _, b := range g.i.seen.Blocks(app, now) {
		if b.ID != id {
			continue
		}
		if _, err := g.i.db.EndBlock(ctx, id, now); err != nil {
			return false, err
		}
		g.i.watch.add(change{lifted: id}) // for one that is still on its way to the database
		return g.i.seen.Lift(app, id, now), nil
	}
	var hash countersign.Hash
	if n, err := hex.Decode(hash[:], []byte(strings.TrimPrefix(id, blockPrefix))); err != nil || n != len(hash) {
		return false, nil
	}
	stops, err := g.i.streaks(ctx, countersign.MaxPhoneStreak)
	if err != nil || !slices.ContainsFunc(stops, func(s countersign.Streak) bool { return s.Phone == hash }) {
		return false, err
	}
	return g.UnlockHash(ctx, hash)
}
