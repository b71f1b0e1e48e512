package twilioapi

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"countersign"
)

// This file has an app's limits on keys of its own: a rate limit has a name, its buckets say how much in what time, and a
// start gives each a value. They are counted in the store beside the guard's; the value goes there as a keyed hash only.

const (
	kindLimit  = "rate_limit"
	kindBucket = "bucket"

	// customLimit names such a limit in refusals.
	customLimit = "custom"

	maxLimits  = 10
	maxBuckets = 5
)

type rateLimit struct {
	SID         string    `json:"-"`
	UniqueName  string    `json:"u"`
	Description string    `json:"d,omitempty"`
	Created     time.Time `json:"-"`
	Updated     time.Time `json:"-"`
}

type bucket struct {
	SID      string    `json:"-"`
	Max      int       `json:"m"`
	Interval int       `json:"i"` // seconds
	Created  time.Time `json:"-"`
	Updated  time.Time `json:"-"`
}

// limits are what a start counts of its RateLimits. A name that there is none of is refused: a limit must not be missed by
// a typo.
func (c *call) limits(s *service) ([]countersign.Limit, error) {
	values, err := c.form.object("RateLimits", maxLimits)
	if err != nil || len(values) == 0 {
		return nil, err
	}
	objects, err := c.f.cfg.Objects.List(c.r.Context(), c.App.App.ID, kindLimit, s.SID)
	if err != nil {
		return nil, err
	}
	var list []countersign.Limit
	found := 0
	for _, o := range objects {
		value, given := values[o.Name]
		if !given {
			continue
		}
		found++
		buckets, err := c.buckets(o.SID)
		if err != nil {
			return nil, err
		}
		for _, b := range buckets {
			list = append(list, countersign.Limit{
				Name: customLimit, Key: c.f.cfg.Keys().LookupHash("twilio limit", c.App.App.ID, b.SID, value),
				Burst: b.Max, Period: time.Duration(b.Interval) * time.Second,
			})
		}
	}
	if found < len(values) {
		return nil, invalid("RateLimits", "this service has no rate limit of such a name")
	}
	return list, nil
}

func (c *call) buckets(limit string) ([]*bucket, error) {
	objects, err := c.f.cfg.Objects.List(c.r.Context(), c.App.App.ID, kindBucket, limit)
	if err != nil {
		return nil, err
	}
	list := make([]*bucket, 0, len(objects))
	for _, o := range objects {
		b := &bucket{}
		if err := c.open(o, b); err != nil {
			return nil, err
		}
		b.SID, b.Created, b.Updated = o.SID, o.Created, o.Updated
		list = append(list, b)
	}
	return list, nil
}

// rateLimit finds the one in the path.
func (c *call) rateLimit() (*service, *rateLimit, error) {
	s, err := c.service()
	if err != nil {
		return nil, nil, err
	}
	if !sidForm("RK", c.path[3]) {
		return nil, nil, c.missing()
	}
	l := &rateLimit{}
	o, err := c.object(kindLimit, s.SID, c.path[3], l)
	if err != nil {
		return nil, nil, err
	}
	l.SID, l.Created, l.Updated = o.SID, o.Created, o.Updated
	return s, l, nil
}

func (c *call) describeLimit(s *service, l *rateLimit) map[string]any {
	self := c.f.cfg.BaseURL + "/v2/Services/" + s.SID + "/RateLimits/" + l.SID
	return map[string]any{
		"sid": l.SID, "service_sid": s.SID, "account_sid": c.Account, "unique_name": l.UniqueName, "description": l.Description,
		"date_created": stamp(l.Created), "date_updated": stamp(l.Updated), "url": self,
		"links": map[string]string{"buckets": self + "/Buckets"},
	}
}

func (c *call) listRateLimits() (int, any, error) {
	s, err := c.service()
	if err != nil {
		return 0, nil, err
	}
	objects, err := c.f.cfg.Objects.List(c.r.Context(), c.App.App.ID, kindLimit, s.SID)
	if err != nil {
		return 0, nil, err
	}
	all := []map[string]any{}
	for _, o := range objects {
		l := &rateLimit{}
		if err := c.open(o, l); err != nil {
			return 0, nil, err
		}
		l.SID, l.Created, l.Updated = o.SID, o.Created, o.Updated
		all = append(all, c.describeLimit(s, l))
	}
	return 200, map[string]any{"rate_limits": all, "meta": c.meta("rate_limits")}, nil
}

func (c *call) createRateLimit() (int, any, error) {
	s, err := c.service()
	if err != nil {
		return 0, nil, err
	}
	l := &rateLimit{SID: newSID("RK"), UniqueName: c.form["UniqueName"]}
	if !uniqueName(l.UniqueName) {
		return 0, nil, vendorError{status: 400, code: 60209, message: "Rate limit UniqueName format is invalid: 1 to 64 of a-z, A-Z, 0-9, _, . and -"}
	}
	if err := c.fillLimit(l); err != nil {
		return 0, nil, err
	}
	if err := c.room(kindLimit, s.SID, maxLimits, 60207, "rate limits on the service"); err != nil {
		return 0, nil, err
	}
	o := &countersign.FaceObject{SID: l.SID, Kind: kindLimit, Parent: s.SID, Name: l.UniqueName}
	if err := c.put(o, l); err != nil {
		return 0, nil, exists(err, 60208, "Rate limit UniqueName already exists")
	}
	l.Created, l.Updated = o.Created, o.Updated
	return 201, c.describeLimit(s, l), nil
}

// fillLimit takes over what a request says of a limit beside its name, which never changes.
func (c *call) fillLimit(l *rateLimit) error {
	text, given := c.form["Description"]
	if len(text) > 255 {
		return invalid("Description", "at most 255 bytes")
	}
	if given {
		l.Description = text
	}
	return nil
}

func uniqueName(s string) bool {
	return s != "" && len(s) <= 64 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") == ""
}

func (c *call) fetchRateLimit() (int, any, error) {
	s, l, err := c.rateLimit()
	if err != nil {
		return 0, nil, err
	}
	return 200, c.describeLimit(s, l), nil
}

func (c *call) updateRateLimit() (int, any, error) {
	s, l, err := c.rateLimit()
	if err != nil {
		return 0, nil, err
	}
	if err := c.fillLimit(l); err != nil {
		return 0, nil, err
	}
	o := &countersign.FaceObject{SID: l.SID, Kind: kindLimit, Parent: s.SID, Name: l.UniqueName, Created: l.Created}
	if err := c.put(o, l); err != nil {
		return 0, nil, err
	}
	l.Updated = o.Updated
	return 200, c.describeLimit(s, l), nil
}

func (c *call) deleteRateLimit() (int, any, error) {
	_, l, err := c.rateLimit()
	if err != nil {
		return 0, nil, err
	}
	return c.remove(l.SID)
}

func (c *call) describeBucket(s *service, l *rateLimit, b *bucket) map[string]any {
	return map[string]any{
		"sid": b.SID, "rate_limit_sid": l.SID, "service_sid": s.SID, "account_sid": c.Account, "max": b.Max, "interval": b.Interval,
		"date_created": stamp(b.Created), "date_updated": stamp(b.Updated),
		"url": c.f.cfg.BaseURL + "/v2/Services/" + s.SID + "/RateLimits/" + l.SID + "/Buckets/" + b.SID,
	}
}

func (c *call) listBuckets() (int, any, error) {
	s, l, err := c.rateLimit()
	if err != nil {
		return 0, nil, err
	}
	list, err := c.buckets(l.SID)
	if err != nil {
		return 0, nil, err
	}
	all := []map[string]any{}
	for _, b := range list {
		all = append(all, c.describeBucket(s, l, b))
	}
	return 200, map[string]any{"buckets": all, "meta": c.meta("buckets")}, nil
}

// fillBucket takes over what a request says; both fields are required of a new one.
func (c *call) fillBucket(b *bucket, fresh bool) error {
	for name, field := range map[string]*int{"Max": &b.Max, "Interval": &b.Interval} {
		n, ok, err := c.form.integer(name, 1, 86400)
		switch {
		case err != nil:
			return err
		case ok:
			*field = n
		case fresh:
			return invalid(name, "it is missing")
		}
	}
	return nil
}

func (c *call) createBucket() (int, any, error) {
	s, l, err := c.rateLimit()
	if err != nil {
		return 0, nil, err
	}
	b := &bucket{SID: newSID("BL")}
	if err := c.fillBucket(b, true); err != nil {
		return 0, nil, err
	}
	if err := c.room(kindBucket, l.SID, maxBuckets, 60210, "buckets per rate limit"); err != nil {
		return 0, nil, err
	}
	return c.putBucket(s, l, b, 201)
}

func (c *call) putBucket(s *service, l *rateLimit, b *bucket, status int) (int, any, error) {
	o := &countersign.FaceObject{SID: b.SID, Kind: kindBucket, Parent: l.SID, Name: strconv.Itoa(b.Interval), Created: b.Created}
	if err := c.put(o, b); err != nil {
		return 0, nil, exists(err, 60211, "A bucket with that interval already exists")
	}
	b.Created, b.Updated = o.Created, o.Updated
	return status, c.describeBucket(s, l, b), nil
}

func (c *call) bucket() (*service, *rateLimit, *bucket, error) {
	s, l, err := c.rateLimit()
	if err != nil {
		return nil, nil, nil, err
	}
	if !sidForm("BL", c.path[5]) {
		return nil, nil, nil, c.missing()
	}
	b := &bucket{}
	o, err := c.object(kindBucket, l.SID, c.path[5], b)
	if err != nil {
		return nil, nil, nil, err
	}
	b.SID, b.Created, b.Updated = o.SID, o.Created, o.Updated
	return s, l, b, nil
}

func (c *call) fetchBucket() (int, any, error) {
	s, l, b, err := c.bucket()
	if err != nil {
		return 0, nil, err
	}
	return 200, c.describeBucket(s, l, b), nil
}

func (c *call) updateBucket() (int, any, error) {
	s, l, b, err := c.bucket()
	if err != nil {
		return 0, nil, err
	}
	before := b.Interval
	if err := c.fillBucket(b, false); err != nil {
		return 0, nil, err
	}
	if b.Interval != before {
		return 0, nil, invalid("Interval", "a bucket's interval cannot change; make another bucket")
	}
	return c.putBucket(s, l, b, 200)
}

func (c *call) deleteBucket() (int, any, error) {
	_, _, b, err := c.bucket()
	if err != nil {
		return 0, nil, err
	}
	return c.remove(b.SID)
}

// This part has the safe list: numbers that the app keeps. It lifts none of our limits.

const kindSafe = "safe"

type safeNumber struct {
	Number string `json:"p"`
}

func describeSafe(o *countersign.FaceObject, n safeNumber, base string) map[string]any {
	return map[string]any{"sid": o.SID, "phone_number": n.Number, "url": base + "/v2/SafeList/Numbers/" + n.Number}
}

func (c *call) safeName(to countersign.Address) string {
	return c.f.cfg.Keys().LookupHash("twilio safe", c.App.App.ID, to.Dial()).Hex()
}

func (c *call) createSafe() (int, any, error) {
	to, err := parseTo(c.form["PhoneNumber"])
	if err != nil {
		return 0, nil, err
	}
	if o, n, err := c.safe(to); err == nil {
		return 201, describeSafe(o, n, c.f.cfg.BaseURL), nil // there already
	} else if !errors.Is(err, countersign.ErrNotFound) && !isMissing(err) {
		return 0, nil, err
	}
	if err := c.room(kindSafe, "", 1000, 60200, "numbers"); err != nil {
		return 0, nil, err
	}
	o := &countersign.FaceObject{SID: newSID("GN"), Kind: kindSafe, Name: c.safeName(to)}
	n := safeNumber{to.Dial()}
	if err := c.put(o, n); err != nil && !errors.Is(err, countersign.ErrObjectExists) {
		return 0, nil, err
	}
	return 201, describeSafe(o, n, c.f.cfg.BaseURL), nil
}

func isMissing(err error) bool {
	v := vendorError{}
	return errors.As(err, &v) && v.code == 20404
}

// safe finds a number's entry.
func (c *call) safe(to countersign.Address) (*countersign.FaceObject, safeNumber, error) {
	objects, err := c.f.cfg.Objects.List(c.r.Context(), c.App.App.ID, kindSafe, "")
	if err != nil {
		return nil, safeNumber{}, err
	}
	name := c.safeName(to)
	for _, o := range objects {
		if o.Name == name {
			n := safeNumber{}
			err := c.open(o, &n)
			return o, n, err
		}
	}
	return nil, safeNumber{}, c.missing()
}

func (c *call) safeInPath() (*countersign.FaceObject, safeNumber, error) {
	to, err := parseTo(c.path[2])
	if err != nil {
		return nil, safeNumber{}, c.missing()
	}
	return c.safe(to)
}

func (c *call) fetchSafe() (int, any, error) {
	o, n, err := c.safeInPath()
	if err != nil {
		return 0, nil, err
	}
	return 200, describeSafe(o, n, c.f.cfg.BaseURL), nil
}

func (c *call) deleteSafe() (int, any, error) {
	o, _, err := c.safeInPath()
	if err != nil {
		return 0, nil, err
	}
	return c.remove(o.SID)
}
