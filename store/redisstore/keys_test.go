package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"countersign"
	"countersign/store/storetest"
)

// keysOf lists all keys of a server.
func keysOf(t testing.TB, s *Store) []string {
	t.Helper()
	c := *s.connected.Load()
	keys, err := c.Do(t.Context(), c.B().Keys().Pattern("*").Build()).AsStrSlice()
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// everyMove makes each move at least once, with everything filled in that could be written down.
func everyMove(t *testing.T, s *Store) {
	t.Helper()
	ctx, ring := t.Context(), mustRing(t)
	phone := storetest.NewPhone()
	must := func(o *countersign.Outcome, err error) *countersign.Outcome {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	first := storetest.NewBegin(ring, app, phone, code)
	first.Lease = time.Second
	r := must(s.Begin(ctx, first)).Record
	must(s.Sent(ctx, &countersign.Sent{
		ID: r.ID, Channel: r.Channel,
		Delivery: countersign.Delivery{ID: "msg_1", Channel: r.Channel, Provider: "a", Ref: "ref", Status: countersign.DeliverySent, Detail: "fine"},
	}))
	must(s.Receipt(ctx, &countersign.Receipt{ID: r.ID, DeliveryID: "msg_1", Status: countersign.DeliveryDelivered}))
	must(s.Resend(ctx, &countersign.Resend{App: app, ID: r.ID, Exempt: true, Request: countersign.Request{Key: countersign.Hash{9}}}))
	for i := range 3 {
		c, err := storetest.NewCheck(ring, app, r.ID, "000000")
		if err != nil {
			t.Fatal(err)
		}
		c.Request = countersign.Request{Key: countersign.Hash{byte(i + 1)}}
		must(s.Check(ctx, c))
	}
	hostedMoves(t, s, phone)
	must(s.Cancel(ctx, &countersign.Cancel{App: app, ID: r.ID, Status: countersign.StatusCanceled}))
	take := &countersign.Take{
		Limits: []countersign.Limit{{Name: "starts", Key: countersign.Hash{5}, Burst: 3, Period: time.Minute}},
		Key:    countersign.Hash{6}, Body: countersign.Hash{7}, ID: r.ID, Lifetime: time.Hour, Lease: time.Second,
	}
	if _, err := s.Take(ctx, take); err != nil {
		t.Fatal(err)
	}
	if err := s.Finish(ctx, take.Key); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		begin(t, s).must(code, countersign.OutcomeApproved)
	}
	begin(t, s) // stays pending
	if _, err := s.Outbox(ctx, 0, 100); err != nil {
		t.Fatal(err)
	}
	if err := s.Advance(ctx, time.Second); err != nil {
		t.Fatal(err)
	}
	if err := s.Ping(ctx); err != nil {
		t.Fatal(err)
	}
}

// hostedMoves reserves and settles a check.
func hostedMoves(t *testing.T, s *Store, phone countersign.Hash) {
	t.Helper()
	ring := mustRing(t)
	hosted := storetest.NewBegin(ring, app, phone, code)
	hosted.Record.Hosted, hosted.Record.HostedScope = "vendor", countersign.Hash{4}
	c, err := storetest.NewCheck(ring, app, hosted.Record.ID, "123456")
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Begin(t.Context(), hosted)
	_, err2 := s.Check(t.Context(), c)
	_, err3 := s.Settle(t.Context(), &countersign.Settle{App: app, ID: hosted.Record.ID, Approved: true, JTI: "prf_1"})
	if err := errors.Join(err, err2, err3); err != nil {
		t.Fatal(err)
	}
}

// INV-12: every key has a TTL that is no longer than its rule, after every move.
func TestEveryKeyHasTTL(t *testing.T) {
	server := startRedis(t)
	s := open(t, Options{URL: server.url(), Timeout: patient})
	everyMove(t, s)
	c := *s.connected.Load()
	kinds := map[string]bool{}
	for _, key := range keysOf(t, s) {
		ttl, err := c.Do(t.Context(), c.B().Pttl().Key(key).Build()).AsInt64()
		if err != nil {
			t.Fatal(err)
		}
		longest := clockKept
		switch kind := kindOf(key); kind {
		case "v", "due", "out", "i":
			longest = indexKept
			kinds[kind] = true
		case "r":
			longest = time.Minute
			kinds[kind] = true
		default:
			kinds[kind] = true
		}
		if ttl <= 0 || ttl > longest.Milliseconds() {
			t.Errorf("%s lives for %d ms, want at most %s", key, ttl, longest)
		}
	}
	for _, kind := range []string{"v", "p", "due", "out", "i", "r", "clock"} {
		if !kinds[kind] {
			t.Errorf("no key of the kind %q was made: the test sees too little", kind)
		}
	}
	server.do("SET", "control", "immortal")
	if ttl := server.do("PTTL", "control"); ttl != "-1" {
		t.Errorf("the control has the TTL %s; the test would not find a key without one", ttl)
	}
}

func kindOf(key string) string {
	key = strings.TrimPrefix(key, "cs:")
	if strings.HasPrefix(key, "{") {
		_, key, _ = strings.Cut(key, "}:")
	}
	kind, _, _ := strings.Cut(key, ":")
	return kind
}

// INV-12: what ended and was acknowledged is gone after its ten minutes, and an index never outlives its entries by
// more than its TTL.
func TestBackToBaseline(t *testing.T) {
	server := startRedis(t)
	s := open(t, Options{URL: server.url(), Timeout: patient})
	v := begin(t, s)
	v.must(code, countersign.OutcomeApproved)
	rows, err := s.Outbox(t.Context(), 0, 10)
	if err != nil || len(rows) != 1 {
		t.Fatalf("the outbox holds %d, %v", len(rows), err)
	}
	if err := s.Acknowledge(t.Context(), rows); err != nil {
		t.Fatal(err)
	}
	left, err := strconv.Atoi(server.do("PTTL", recordKey(v.r.ID)))
	if err != nil || left <= 0 || left > int(countersign.EndedRetention.Milliseconds()) {
		t.Errorf("an acknowledged record lives for %d ms more, %v", left, err)
	}
	for _, key := range keysOf(t, s) {
		if kind := kindOf(key); kind != "v" && kind != "p" {
			t.Errorf("%s is still there", key)
		}
	}
}

// Keys of different things are never the same, whatever the hashes are, and lie in the slot of their shard.
func TestKeysAreInjective(t *testing.T) {
	seen := map[string]string{}
	note := func(key, what string) {
		if old, ok := seen[key]; ok && old != what {
			t.Errorf("%s is the key of %s and of %s", key, old, what)
		}
		seen[key] = what
	}
	for range 500 {
		h := storetest.NewPhone()
		id := storetest.NewID(h)
		note(recordKey(id), "record "+id)
		note(phoneKey(h), "phone "+h.Hex())
		note(rateKey(h), "limit "+h.Hex())
		note(idempotencyKey(h), "idempotency key "+h.Hex())
		shard := phoneShard(h)
		if shard != shardNumber(id) || shardName(shard) != h.Shard() || idOf(shard, tailOf(id)) != id {
			t.Fatalf("%s and %s are not of one shard", id, h.Hex())
		}
		for _, name := range []string{"due", "out", "l"} {
			note(shardKey(shard, name), fmt.Sprint(name, shard))
			if !strings.HasPrefix(recordKey(id), strings.TrimSuffix(shardKey(shard, name), name)) {
				t.Errorf("%s and %s do not share a slot", recordKey(id), shardKey(shard, name))
			}
		}
	}
}

// INV-9: no value holds a code, a phone number, or the hash that links a phone over apps next to an id in clear other
// than the store's own.
func TestNothingInClear(t *testing.T) {
	server := startRedis(t)
	s := open(t, Options{URL: server.url(), Timeout: patient})
	everyMove(t, s)
	number := "+4915112345678"
	b := storetest.NewBegin(mustRing(t), app, storetest.NewPhone(), code)
	b.Record.Sealed = []byte("sealed")
	if _, err := s.Begin(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	control := false
	server.do("SET", "control", "code "+code+" to "+number, "PX", "60000")
	for _, key := range keysOf(t, s) {
		for _, secret := range []string{code, number, number[1:], "271 828"} {
			if strings.Contains(key, secret) || strings.Contains(server.do("DUMP", key), secret) {
				if key == "control" {
					control = true
					continue
				}
				t.Errorf("%s holds %q", key, secret)
			}
		}
	}
	if !control {
		t.Error("the scan does not find what was put there for it")
	}
}

// One start leaves at most a KiB in Redis, tables of keys and expiries included, with a sealed part as long as a usual one.
// It is the share of one of many starts, by people who all have an address of their own: some counts are of one
// start, others of many.
func TestMemoryOfOneStart(t *testing.T) {
	const starts = 4096
	server := startRedis(t)
	s := open(t, Options{URL: server.url(), Timeout: patient})
	shared := map[string]countersign.Hash{}
	limit := func(name string, n int) countersign.Limit {
		of := fmt.Sprint(name, n)
		if shared[of].IsZero() {
			shared[of] = storetest.NewPhone()
		}
		return countersign.Limit{Name: name, Key: shared[of], Burst: 300, Period: time.Hour}
	}
	before := server.memory()
	for n := range starts {
		take := &countersign.Take{Limits: []countersign.Limit{
			limit("client_starts", n), limit("client_ceiling", n), limit("budget_client", n), limit("budget_network", n/4),
			limit("budget_thousand", n/10), limit("budget_prefix6", n/40), limit("budget_prefix4", n/100),
			limit("budget_app_country", n/1000), limit("budget_instance", 0),
		}}
		if taken, err := s.Take(t.Context(), take); err != nil {
			t.Fatal(taken, err)
		}
		b := storetest.NewBegin(mustRing(t), app, storetest.NewPhone(), code)
		b.Record.Sealed = make([]byte, 2+12+16+len(`{"to":"+4915112345678","l":"de-DE","r":"order-123456"}`))
		if _, err := s.Begin(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	each := (server.memory() - before) / starts
	t.Logf("%d bytes a start", each)
	if each > 1024 {
		t.Errorf("one start leaves %d bytes, want at most 1024", each)
	}
}

// naive reads, decides and writes back: what the scripts must not do.
type naive struct{ *Store }

// Check is without the script's one step.
func (n naive) Check(ctx context.Context, c *countersign.Check) (*countersign.Outcome, error) {
	o, ok, err := n.Lookup(ctx, c.ID)
	if err != nil || !ok {
		return nil, err
	}
	if o.Record.Status.Final() {
		o.Result = countersign.OutcomeClosed
		return o, nil
	}
	if c.Tags[0] != o.Record.Tag {
		o.Result = countersign.OutcomeIncorrect
		return o, nil
	}
	if _, err := n.Cancel(ctx, &countersign.Cancel{ID: c.ID, Status: countersign.StatusApproved}); err != nil {
		return nil, err
	}
	o.Result = countersign.OutcomeApproved
	return o, nil
}

// The invariants see a store that decides in Go, on the same server.
func TestNaiveControl(t *testing.T) {
	server := startRedis(t)
	s := open(t, Options{URL: server.url(), Timeout: patient})
	violations, err := storetest.OneApproval(t.Context(), naive{s}, 20, 30)
	if err != nil {
		t.Fatal(err)
	}
	if len(violations) < 18 {
		t.Errorf("a racy store was found out in %d of 20 trials only", len(violations))
	}
}

// INV-1 over three stores on one server, as three processes would have it.
func TestThreeProcesses(t *testing.T) {
	server := startRedis(t)
	stores := make([]*Store, 3)
	for i := range stores {
		stores[i] = open(t, Options{URL: server.url(), Timeout: patient})
	}
	spread := &spread{Store: stores[0], all: stores}
	violations, err := storetest.OneApproval(t.Context(), spread, 100, 30)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range violations {
		t.Error(v)
	}
}

// spread sends each check through another store.
type spread struct {
	*Store
	all  []*Store
	next turn
}

// Check goes round.
func (s *spread) Check(ctx context.Context, c *countersign.Check) (*countersign.Outcome, error) {
	return s.all[s.next.take(len(s.all))].Check(ctx, c)
}
