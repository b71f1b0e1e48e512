package twilioapi_test

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"countersign"
	numbers "countersign/phone"
	"countersign/twilioapi"
)

// long is a log that is longer than one request reads: ago verifications of one country, a second apart, and before them one
// of another country, which is the last.
type long struct {
	twilioapi.Engine
	ago         int
	newest      time.Time
	most, other countersign.Address
	read        int // rows of the last request
}

func (l *long) List(_ context.Context, q *countersign.ListRequest) ([]*countersign.Verification, countersign.Cursor, error) {
	n := 0
	if !q.Before.Created.IsZero() {
		n = max(0, int(l.newest.Sub(q.Before.Created)/time.Second)+1)
	}
	var list []*countersign.Verification
	for ; len(list) < q.Limit && n <= l.ago; n++ {
		l.read++
		at := l.newest.Add(-time.Duration(n) * time.Second)
		v := &countersign.Verification{
			ID: "ver_abc" + strings.NewReplacer("0", "a", "1", "b", "8", "i", "9", "j").Replace(fmt.Sprintf("%026d", n)), App: "demo", To: l.most,
			Created: at, Status: countersign.StatusApproved, Deliveries: []countersign.Delivery{{At: at, Channel: countersign.ChannelSMS}},
		}
		if n == l.ago {
			v.To = l.other
		}
		list = append(list, v)
	}
	if n > l.ago {
		return list, countersign.Cursor{}, nil
	}
	last := list[len(list)-1]
	return list, countersign.Cursor{Created: last.Created, ID: last.ID}, nil
}

// What one request cannot read is on a next page, and no summary is of a part.
func TestALogLongerThanOneRequestReads(t *testing.T) {
	l := &long{ago: 12_345, newest: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)}
	n := newNode(t, func(c *twilioapi.Config) {
		l.Engine = c.Engine
		c.Engine = l
	})
	for to, number := range map[*countersign.Address]string{&l.most: "+447911123456", &l.other: phone} {
		parsed, err := numbers.FromE164(number)
		if err != nil {
			t.Fatal(err)
		}
		*to = countersign.PhoneAddress(parsed)
	}
	ask := func(path string) *answer {
		l.read = 0
		return n.ask("GET", path, "")
	}
	page := ask("/v2/Attempts?Country=US")
	meta, _ := page.body["meta"].(map[string]any)
	next, _ := meta["next_page_url"].(string)
	if list, _ := page.body["attempts"].([]any); page.status != 200 || len(list) != 0 || next == "" || l.read > 11_000 {
		t.Fatalf("%d attempts, next %q, %d rows read: %d %s", len(list), next, l.read, page.status, page.text)
	}
	page = ask(strings.TrimPrefix(next, n.url))
	meta, _ = page.body["meta"].(map[string]any)
	if list, _ := page.body["attempts"].([]any); page.status != 200 || len(list) != 1 || meta["next_page_url"] != nil {
		t.Errorf("the rest: %d %s", page.status, page.text)
	}
	ask("/v2/Attempts/Summary?Country=US").refusedAs(t, "a summary of a part", 400, 60200)

	before := l.newest.Add(-12_000 * time.Second)
	sum := ask("/v2/Attempts/Summary?DateCreatedBefore=" + url.QueryEscape(before.Format(time.RFC3339)))
	if sum.status != 200 || sum.body["total_attempts"] != float64(345) || l.read != 345 {
		t.Errorf("before %s: %d %s, %d rows read", before, sum.status, sum.text, l.read)
	}
}

// Where an update does not name a field, it stays.
func TestARateLimitKeepsItsDescription(t *testing.T) {
	n := newNode(t, nil)
	made := n.ask("POST", of+"/RateLimits", fields("UniqueName", "ip", "Description", "by address"))
	path := of + "/RateLimits/" + made.field("sid")
	for _, c := range []struct{ form, want string }{{"Unknown=1", "by address"}, {"Description=other", "other"}, {"Description=", ""}} {
		if u := n.ask("POST", path, c.form); u.status != 200 || u.field("description") != c.want {
			t.Errorf("%s: %d %s", c.form, u.status, u.text)
		}
	}
	n.ask("POST", path, "Description="+strings.Repeat("x", 256)).refusedAs(t, "a long one", 400, 60200)
}
