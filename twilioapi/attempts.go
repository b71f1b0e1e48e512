package twilioapi

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"countersign"
)

// This file reads the log: every send is an attempt, converted when its verification was approved. What is written behind
// an answer may lag by a second.

// filter is what a list of attempts is narrowed to.
type filter struct {
	after, before time.Time
	to            countersign.Address
	country       string
	channel       countersign.Channel
	service       string
	verification  string // VE…
	status        string
	prefix        string
}

func (c *call) filter() (filter, error) {
	var q filter
	var err error
	for name, at := range map[string]*time.Time{"DateCreatedAfter": &q.after, "DateCreatedBefore": &q.before} {
		if text := c.form[name]; text != "" {
			if *at, err = time.Parse(time.RFC3339, strings.Replace(text, " ", "+", 1)); err != nil {
				return q, invalid(name, "expected is a time such as 2026-01-02T15:04:05Z")
			}
		}
	}
	if text := c.form["ChannelData.To"]; text != "" {
		if q.to, err = parseTo(text); err != nil {
			return q, err
		}
	}
	if text := strings.ToLower(c.form["Channel"]); text != "" {
		ch, known := channels[text]
		if !known || ch == countersign.ChannelAuto {
			return q, invalid("Channel", "expected is sms, call, whatsapp or email")
		}
		q.channel = ch
	}
	q.country, q.service, q.verification = c.form["Country"], c.form["VerifyServiceSid"], c.form["VerificationSid"]
	q.status, q.prefix = strings.ToUpper(c.form["Status"]), strings.TrimPrefix(strings.TrimSpace(c.form["DestinationPrefix"]), "+")
	switch {
	case q.status != "" && q.status != "CONVERTED" && q.status != "UNCONVERTED":
		return q, invalid("Status", "expected is CONVERTED or UNCONVERTED")
	case strings.Trim(q.prefix, "0123456789") != "":
		return q, invalid("DestinationPrefix", "expected are digits")
	}
	return q, nil
}

// match says whether a verification is among what is asked for. Its service is beside.
func (q *filter) match(c *call, v *countersign.Verification, service string) bool {
	converted := v.Status == countersign.StatusApproved
	switch {
	case !q.before.IsZero() && !v.Created.Before(q.before),
		q.country != "" && v.To.Country() != q.country,
		q.service != "" && service != q.service,
		q.verification != "" && c.f.sidOf("VE", c.App.App.ID, service, v.ID, 0) != q.verification,
		q.status == "CONVERTED" && !converted, q.status == "UNCONVERTED" && converted,
		q.prefix != "" && !strings.HasPrefix(strings.TrimPrefix(v.To.Dial(), "+"), q.prefix):
		return false
	}
	return true
}

func (c *call) serviceOf(v *countersign.Verification) string {
	if of := v.Metadata[metaService]; of != "" {
		return of
	}
	return c.Service
}

// scanned bounds how many verifications one request reads.
const scanned = 10_000

// each calls what is asked for, newest first, from a cursor on, until visit says false. Where the bound ends it, rest is
// where the next request goes on.
func (c *call) each(q *filter, from countersign.Cursor, visit func(v *countersign.Verification, service string) bool) (rest countersign.Cursor, err error) {
	if from == (countersign.Cursor{}) && !q.before.IsZero() {
		from.Created = q.before
	}
	for read := 0; read < scanned; read += 200 {
		list, next, err := c.f.cfg.Engine.List(c.r.Context(), &countersign.ListRequest{
			App: c.App.App, To: q.to, Channel: q.channel, Face: countersign.FaceTwilio, CreatedAfter: q.after, Limit: 200, Before: from,
		})
		if err != nil {
			return countersign.Cursor{}, err
		}
		for _, v := range list {
			if service := c.serviceOf(v); q.match(c, v, service) && !visit(v, service) {
				return countersign.Cursor{}, nil
			}
		}
		if next.ID == "" {
			return countersign.Cursor{}, nil
		}
		from = next
	}
	return from, nil
}

func (c *call) describeAttempt(v *countersign.Verification, service string, n int) map[string]any {
	d := v.Deliveries[n]
	status := "UNCONVERTED"
	if v.Status == countersign.StatusApproved {
		status = "CONVERTED"
	}
	sid := c.f.sidOf("VL", c.App.App.ID, c.Service, v.ID, n+1)
	return map[string]any{
		"sid": sid, "account_sid": c.Account, "service_sid": service,
		"verification_sid": c.f.sidOf("VE", c.App.App.ID, service, v.ID, 0), "date_created": stamp(d.At), "date_updated": stamp(updated(v)),
		"conversion_status": status, "channel": channelName(d.Channel), "price": map[string]any{},
		"channel_data": map[string]any{"to": v.To.Dial(), "country": v.To.Country(), "message_status": string(d.Status)},
		"url":          c.f.cfg.BaseURL + "/v2/Attempts/" + sid,
	}
}

// listAttempts serves GET Attempts. A page ends with a whole verification; the token of the next names it. Where few of many
// are asked for, a page may have less than its size, or nothing, and a next one all the same.
func (c *call) listAttempts() (int, any, error) {
	q, err := c.filter()
	if err != nil {
		return 0, nil, err
	}
	size, ok, err := c.form.integer("PageSize", 1, 1000)
	if err != nil {
		return 0, nil, err
	}
	if !ok {
		size = 50
	}
	from, err := parseToken(c.form["PageToken"])
	if err != nil {
		return 0, nil, err
	}
	page, _, err := c.form.integer("Page", 0, 1_000_000)
	if err != nil {
		return 0, nil, err
	}
	all := []map[string]any{}
	var last countersign.Cursor
	more := false
	rest, err := c.each(&q, from, func(v *countersign.Verification, service string) bool {
		if n := min(len(v.Deliveries), 15); len(all) > 0 && len(all)+n > size {
			more = true
			return false
		}
		for n := range min(len(v.Deliveries), 15) {
			all = append(all, c.describeAttempt(v, service, n))
		}
		last = countersign.Cursor{Created: v.Created, ID: v.ID}
		return true
	})
	if err != nil {
		return 0, nil, err
	}
	m := c.meta("attempts")
	m.Page, m.PageSize = page, size
	if rest != (countersign.Cursor{}) {
		last, more = rest, true
	}
	if more {
		values := url.Values{}
		for name, value := range c.form {
			values.Set(name, value)
		}
		values.Set("Page", strconv.Itoa(page+1))
		values.Set("PageToken", token(last))
		next := m.URL + "?" + values.Encode()
		m.Next = &next
	}
	return 200, map[string]any{"attempts": all, "meta": m}, nil
}

func token(c countersign.Cursor) string {
	return strconv.FormatInt(c.Created.UnixNano(), 10) + "." + c.ID
}

func parseToken(text string) (countersign.Cursor, error) {
	if text == "" {
		return countersign.Cursor{}, nil
	}
	at, id, _ := strings.Cut(text, ".")
	n, err := strconv.ParseInt(at, 10, 64)
	if err != nil || !countersign.ValidVerificationID(id) {
		return countersign.Cursor{}, invalid("PageToken", "it is not one of ours")
	}
	return countersign.Cursor{Created: time.Unix(0, n), ID: id}, nil
}

// fetchAttempt serves GET Attempts/{VL}.
func (c *call) fetchAttempt() (int, any, error) {
	id, _, n, ok := c.f.idOf("VL", c.App.App.ID, c.Service, c.path[1])
	if !ok {
		return 0, nil, c.missing()
	}
	v, err := c.f.cfg.Engine.Get(c.r.Context(), c.App.App, id)
	if err != nil {
		return 0, nil, err
	}
	if n > len(v.Deliveries) || v.Face != countersign.FaceTwilio {
		return 0, nil, c.missing()
	}
	return 200, c.describeAttempt(v, c.serviceOf(v), n-1), nil
}

// summary serves GET Attempts/Summary. A count that is not of everything would be wrong, so it is none.
func (c *call) summary() (int, any, error) {
	q, err := c.filter()
	if err != nil {
		return 0, nil, err
	}
	total, converted := 0, 0
	rest, err := c.each(&q, countersign.Cursor{}, func(v *countersign.Verification, _ string) bool {
		total += len(v.Deliveries)
		if v.Status == countersign.StatusApproved {
			converted += len(v.Deliveries)
		}
		return true
	})
	if err != nil {
		return 0, nil, err
	}
	if rest != (countersign.Cursor{}) {
		return 0, nil, invalid("DateCreatedAfter", "there is more to count than one request reads ("+strconv.Itoa(scanned)+" verifications); ask for a shorter time")
	}
	rate := 0.0
	if total > 0 {
		rate = 100 * float64(converted) / float64(total)
	}
	return 200, map[string]any{
		"total_attempts": total, "total_converted": converted, "total_unconverted": total - converted,
		"conversion_rate_percentage": fmt.Sprintf("%.2f", rate), "url": c.f.cfg.BaseURL + c.r.URL.Path,
	}, nil
}
