package redisstore

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"countersign"
)

// move makes one move on a record and reads its outcome.
func (s *Store) move(ctx context.Context, sc *script, id string, args []string) (*countersign.Outcome, error) {
	if !countersign.ValidVerificationID(id) {
		return nil, notFound()
	}
	shard := shardNumber(id)
	list, err := s.call(ctx, sc, shard, recordKey(id), args)
	if err != nil {
		return nil, err
	}
	return s.outcome(shard, list)
}

func ms(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

func flag(b bool) string {
	if b {
		return "1"
	}
	return "0"
}

// finalCode is the number of a final status; "" stays "".
func finalCode(status countersign.Status) (string, error) {
	if status == "" {
		return "", nil
	}
	code := statusCode(status)
	if code < 0 || !status.Final() {
		return "", fmt.Errorf("a verification cannot end as %q", status)
	}
	return strconv.Itoa(code), nil
}

// Begin implements countersign.Moves.
func (s *Store) Begin(ctx context.Context, b *countersign.Begin) (*countersign.Outcome, error) {
	args, err := beginArgs(b)
	if err != nil {
		return nil, err
	}
	shard := shardNumber(b.Record.ID)
	list, err := s.call(ctx, s.scripts.begin, shard, recordKey(b.Record.ID), args)
	if err != nil {
		return nil, err
	}
	return s.beginOutcome(shard, b, list)
}

func (s *Store) beginOutcome(shard int, b *countersign.Begin, list []rueidis.RedisMessage) (*countersign.Outcome, error) {
	o, err := s.outcome(shard, list)
	if err != nil {
		return nil, err
	}
	return s.begun(o, b, number(list[ansFlags])), nil
}

// beginArgs are what the script begin takes.
func beginArgs(b *countersign.Begin) ([]string, error) {
	r := b.Record
	if !countersign.ValidVerificationID(r.ID) || countersign.ShardOf(r.ID) != r.Phone.Shard() {
		return nil, errors.New("beginning a verification: its id is not one of its phone's shard")
	}
	d := asking(b.Device)
	return []string{
		"", "", packRecord(r), ms(b.Lifetime), ms(b.Lease), flag(b.Supersede), flag(b.Exempt), flag(b.OwnCode), d[0], d[1], d[2],
	}, nil
}

// asking is what scripts take of a device: its id, its phone and when it was issued.
func asking(d *countersign.Device) [3]string {
	if d == nil {
		return [3]string{"", "", "0"}
	}
	return [3]string{packHash(d.ID), d.Phone.Hex(), strconv.FormatInt(d.Issued.UnixMilli(), 10)}
}

// Resend implements countersign.Moves.
func (s *Store) Resend(ctx context.Context, r *countersign.Resend) (*countersign.Outcome, error) {
	code, key, tag := "", "", ""
	if n := r.NewCode; n != nil {
		code, key, tag = packCode(n.CodeKey, n.Nonce), strconv.Itoa(int(n.Tag.Key)), string(n.Tag.Sum[:])
	}
	d := asking(r.Device)
	return s.move(ctx, s.scripts.resend, r.ID, []string{
		"", "", r.App, packHash(r.Request.Key), packHash(r.Request.Body), string(r.Channel), r.Hosted, ms(r.MinLife), ms(r.Lease),
		flag(r.Exempt), code, key, tag, d[0], d[1], d[2],
	})
}

// unknown turns a missing record into an outcome, for reports that may come too late.
func (s *Store) unknown(o *countersign.Outcome, err error) (*countersign.Outcome, error) {
	if errors.Is(err, countersign.ErrNotFound) {
		return &countersign.Outcome{Result: countersign.OutcomeUnknown, Now: s.Now()}, nil
	}
	return o, err
}

// sentArgs are what the script sent takes.
func sentArgs(m *countersign.Sent) ([]string, error) {
	d := &m.Delivery
	status := deliveryCode(d.Status)
	if status < 0 {
		return nil, fmt.Errorf("a delivery cannot be %q", d.Status)
	}
	end, err := finalCode(m.End)
	if err != nil {
		return nil, err
	}
	return []string{
		"", "", d.ID, string(d.Channel), d.Provider, d.Ref, strconv.Itoa(status), strconv.FormatInt(millis(d.At), 10), d.Detail,
		string(m.Channel), m.Hosted, m.HostedRef, end, flag(m.KeepLease), ms(m.Lease),
	}, nil
}

// Sent implements countersign.Moves.
func (s *Store) Sent(ctx context.Context, m *countersign.Sent) (*countersign.Outcome, error) {
	args, err := sentArgs(m)
	if err != nil {
		return nil, err
	}
	return s.unknown(s.move(ctx, s.scripts.sent, m.ID, args))
}

// SentMany implements countersign.SentMany.
func (s *Store) SentMany(ctx context.Context, moves []*countersign.Sent) ([]*countersign.Outcome, error) {
	outcomes := make([]*countersign.Outcome, len(moves))
	jobs, which := make([]job, 0, len(moves)), make([]int, 0, len(moves))
	set, generation := s.clock.set.Load(), s.generation.Load()
	var failure error
	for i, m := range moves {
		args, err := sentArgs(m)
		if err == nil && !countersign.ValidVerificationID(m.ID) {
			err = notFound()
		}
		if err != nil {
			outcomes[i], err = s.unknown(nil, err)
			failure = cmp.Or(failure, err)
			continue
		}
		args[0], args[1] = set.offsetText, set.epochText
		jobs, which = append(jobs, job{s.scripts.sent, []string{recordKey(m.ID)}, args}), append(which, i)
	}
	if len(jobs) == 0 {
		return outcomes, failure
	}
	before := s.clock.mono()
	answers, err := s.flush(ctx, jobs)
	after := s.clock.mono()
	failure = cmp.Or(failure, err)
	if generation != s.generation.Load() {
		return make([]*countersign.Outcome, len(moves)), countersign.Unavailable(errChanged) // see call
	}
	for n, answer := range answers {
		if len(answer) == 0 {
			continue
		}
		i := which[n]
		var err error
		if number(answer[0]) == resultBehind {
			outcomes[i], err = s.Sent(ctx, moves[i]) // once more, by the clock's setting of now
		} else {
			shard := shardNumber(moves[i].ID)
			s.hear(set, shard, answer, before, after)
			outcomes[i], err = s.unknown(s.outcome(shard, answer))
		}
		failure = cmp.Or(failure, err)
	}
	return outcomes, failure
}

// hear tells the clock the instant of an answer.
func (s *Store) hear(set *setting, shard int, list []rueidis.RedisMessage, before, after time.Duration) {
	if len(list) >= ansEnded && number(list[ansFlags])&flagAhead == 0 {
		s.heard(set, shard, number(list[ansNow]), before, after)
	}
}

// Receipt implements countersign.Moves.
func (s *Store) Receipt(ctx context.Context, r *countersign.Receipt) (*countersign.Outcome, error) {
	status := deliveryCode(r.Status)
	if status < 0 {
		return nil, fmt.Errorf("a delivery cannot be %q", r.Status)
	}
	return s.unknown(s.move(ctx, s.scripts.receipt, r.ID, []string{
		"", "", r.DeliveryID, r.Ref, strconv.Itoa(status), strconv.FormatInt(millis(r.At), 10), r.Detail,
	}))
}

// Check implements countersign.Moves.
func (s *Store) Check(ctx context.Context, c *countersign.Check) (*countersign.Outcome, error) {
	args, d := make([]string, 0, 13+2*2), asking(c.Device)
	args = append(args, "", "", c.App, packHash(c.Request.Key), packHash(c.Request.Body),
		strconv.Itoa(int(c.Shape)), strconv.Itoa(c.Length), ms(c.Lease), c.JTI, packHash(c.Caller), d[0], d[1], d[2])
	for i := range c.Tags {
		args = append(args, strconv.Itoa(int(c.Tags[i].Key)), string(c.Tags[i].Sum[:]))
	}
	return s.move(ctx, s.scripts.check, c.ID, args)
}

// Settle implements countersign.Moves.
func (s *Store) Settle(ctx context.Context, m *countersign.Settle) (*countersign.Outcome, error) {
	end, err := finalCode(m.End)
	if err != nil {
		return nil, err
	}
	return s.move(ctx, s.scripts.settle, m.ID, []string{
		"", "", m.App, packHash(m.Request.Key), packHash(m.Request.Body), flag(m.Approved), end, m.JTI, packHash(m.Caller),
	})
}

// Cancel implements countersign.Moves.
func (s *Store) Cancel(ctx context.Context, c *countersign.Cancel) (*countersign.Outcome, error) {
	status, err := finalCode(c.Status)
	if err != nil || status == "" {
		return nil, errors.Join(errors.New("canceling a verification needs a final status"), err)
	}
	return s.move(ctx, s.scripts.cancel, c.ID, []string{
		"", "", c.App, packHash(c.Request.Key), packHash(c.Request.Body), status,
	})
}

// Lookup implements countersign.Moves.
func (s *Store) Lookup(ctx context.Context, id string) (*countersign.Outcome, bool, error) {
	if !countersign.ValidVerificationID(id) {
		return nil, false, nil
	}
	shard := shardNumber(id)
	list, err := s.call(ctx, s.scripts.lookup, shard, recordKey(id), []string{"", ""})
	if err != nil {
		return nil, false, err
	}
	if number(list[ansResult]) == resultMissing {
		return nil, false, nil
	}
	if len(list) < ansEnded {
		return nil, false, errPacked
	}
	raw, err := list[ansRecord].ToString()
	if err != nil {
		return nil, false, fmt.Errorf("looking a verification up: %w", err)
	}
	now := number(list[ansNow])
	r, err := s.unpack(shard, raw, now)
	if err != nil {
		return nil, false, err
	}
	o := &countersign.Outcome{
		Result: countersign.OutcomeOK, Record: &r.Record, Now: instant(now), Phone: phoneState(list), ChecksLeft: int(number(list[ansLeft])),
	}
	if s.computed(r, o.Now) {
		o.ChecksLeft = 0
	}
	return o, true, nil
}

// computed gives a pending record that is over the status it has for everybody who looks, before any move wrote it.
func (s *Store) computed(r *stored, now time.Time) bool {
	switch {
	case r.Status != countersign.StatusPending:
		return false
	case r.epoch < s.clock.set.Load().epoch:
		r.Status, r.Ended = countersign.StatusCanceled, now
	case !now.Before(r.Expires) && now.UnixMilli() >= r.checkLease:
		r.Status, r.Ended = countersign.StatusExpired, r.Expires
	default:
		return false
	}
	return true
}

// phoneShard is the shard of a phone's hash.
func phoneShard(h countersign.Hash) int { return int(h[0])<<4 | int(h[1])>>4 }

// Pending implements countersign.Moves.
func (s *Store) Pending(ctx context.Context, app string, phone countersign.Hash, purpose countersign.Purpose) ([]*countersign.Record, error) {
	shard := phoneShard(phone)
	list, err := s.call(ctx, s.scripts.pending, shard, phoneKey(phone), []string{"", "", app, string(purpose)})
	if err != nil {
		return nil, err
	}
	var records []*countersign.Record
	for _, m := range list[2:] {
		r, err := s.record(shard, m, number(list[1]))
		if err != nil {
			return nil, err
		}
		records = append(records, r)
	}
	return records, nil
}

// CheckPhone implements countersign.Moves.
func (s *Store) CheckPhone(ctx context.Context, c *countersign.CheckPhone) (*countersign.Outcome, error) {
	args, d := make([]string, 0, 13+6*len(c.Tags)), asking(c.Device)
	args = append(args, "", "", c.App, packHash(c.Request.Key), packHash(c.Request.Body),
		strconv.Itoa(int(c.Shape)), strconv.Itoa(c.Length), ms(c.Lease), c.JTI, string(c.Purpose), d[0], d[1], d[2])
	shard := phoneShard(c.Phone)
	for id, tags := range c.Tags {
		if !countersign.ValidVerificationID(id) || shardNumber(id) != shard {
			continue // not this phone's, so not pending for it
		}
		if len(tags) == 0 {
			args = append(args, tailOf(id), "", "")
		}
		for i := range tags {
			args = append(args, tailOf(id), strconv.Itoa(int(tags[i].Key)), string(tags[i].Sum[:]))
		}
	}
	list, err := s.call(ctx, s.scripts.checkPhone, shard, phoneKey(c.Phone), args)
	if err != nil {
		return nil, err
	}
	return s.outcome(shard, list)
}

// Count implements countersign.Moves.
func (s *Store) Count(ctx context.Context, c *countersign.Count) (*countersign.Outcome, error) {
	d, at := asking(c.Device), "0"
	if !c.At.IsZero() {
		at = strconv.FormatInt(c.At.UnixMilli(), 10)
	}
	shard := phoneShard(c.Phone)
	list, err := s.call(ctx, s.scripts.count, shard, phoneKey(c.Phone), []string{
		"", "", strconv.Itoa(int(c.What)), c.App, flag(c.Exempt), strconv.Itoa(c.Streak), at, d[0], d[1], d[2],
	})
	if err != nil {
		return nil, err
	}
	return s.outcome(shard, list)
}

// ForgetDevices implements countersign.Moves.
func (s *Store) ForgetDevices(ctx context.Context, app string, phone countersign.Hash) error {
	_, err := s.call(ctx, s.scripts.forget, phoneShard(phone), phoneKey(phone), []string{"", "", app})
	return err
}

// Unlock implements countersign.Moves.
func (s *Store) Unlock(ctx context.Context, phone countersign.Hash) (bool, error) {
	list, err := s.call(ctx, s.scripts.unlock, phoneShard(phone), phoneKey(phone), []string{"", "", "0"})
	if err != nil {
		return false, err
	}
	if len(list) < 4 {
		return false, errPacked
	}
	if number(list[3]) != 0 {
		s.index.notes.lower(phoneShard(phone), 1)
	}
	return number(list[2]) == 1, nil
}

// parsePhone reads the hash in a phone's key.
func parsePhone(text string) (h countersign.Hash, ok bool) {
	if len(text) != 2*countersign.HashSize {
		return h, false
	}
	_, err := hex.Decode(h[:], []byte(text))
	return h, err == nil
}
