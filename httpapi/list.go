package httpapi

import (
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"countersign"
)

// Bounds of a page of the list.
const (
	defaultPage = 20
	maxPage     = 100
)

// page is one page of a list.
type page struct {
	_ struct{} `additionalProperties:"true"`

	Data       []*verification `json:"data" doc:"Newest first."`
	NextCursor *string         `json:"next_cursor" doc:"Give it back as cursor for the next page; null on the last."`
}

// listVerifications serves GET /v1/verifications.
func listVerifications(c *call) error {
	q, err := c.listRequest(c.r.URL.RawQuery)
	if err != nil {
		return err
	}
	list, next, err := c.s.cfg.Engine.List(c.r.Context(), q)
	if err != nil {
		return err
	}
	p := page{Data: describeAll(list, c.describe)}
	if next.ID != "" {
		cursor := encodeCursor(next)
		p.NextCursor = &cursor
	}
	return c.answer(http.StatusOK, p)
}

// listRequest parses the query. Each parameter may be there once, and an unknown one is an error.
func (c *call) listRequest(raw string) (*countersign.ListRequest, error) {
	query, err := url.ParseQuery(raw)
	if err != nil {
		return nil, invalid("", "The query is not well-formed.")
	}
	q := &countersign.ListRequest{App: c.app.App, Limit: defaultPage}
	for name, values := range query {
		if len(values) != 1 {
			return nil, invalid(queryPointer(name), "This parameter is there twice.")
		}
		if err := c.listParameter(q, name, values[0]); err != nil {
			return nil, err
		}
	}
	return q, nil
}

func (c *call) listParameter(q *countersign.ListRequest, name, value string) (err error) {
	ok := true
	switch name {
	case "to":
		if strings.HasPrefix(value, " ") {
			value = "+" + value[1:] // a plus that nobody escaped
		}
		q.To, err = c.parseTo(&value, "", isMail(value))
		return err
	case "status":
		if q.Status, ok = countersign.ParseStatus(value); !ok {
			return invalid("/status", "A status is pending, approved, expired, failed, canceled, denied or undeliverable.")
		}
	case "purpose":
		if q.Purpose, ok = countersign.ParsePurpose(value); !ok || value == "" {
			return invalid("/purpose", "A purpose is signup, login, stepup or transaction.")
		}
	case "created_after":
		if q.CreatedAfter, err = time.Parse(time.RFC3339, value); err != nil {
			return invalid("/created_after", "A time is written as in 2026-01-31T12:00:00Z.")
		}
	case "limit":
		if q.Limit, err = strconv.Atoi(value); err != nil || q.Limit < 1 || q.Limit > maxPage {
			return invalid("/limit", "A limit is a number from 1 to 100.")
		}
	case "cursor":
		if q.Before, ok = decodeCursor(value); !ok {
			return invalid("/cursor", "This is no cursor of ours. Take next_cursor of the page before, unchanged.")
		}
	default:
		return invalid(queryPointer(name), "There is no such parameter here.")
	}
	return nil
}

func queryPointer(name string) string {
	if !plainName(name) {
		return ""
	}
	return "/" + name
}

// A cursor is a version byte, the instant of the last row in nanoseconds and its id, in base64url: opaque to callers,
// and of use only within their own app's list.
const cursorVersion = 1

func encodeCursor(at countersign.Cursor) string {
	b := append(make([]byte, 0, 64), cursorVersion)
	b = binary.BigEndian.AppendUint64(b, uint64(at.Created.UnixNano()))
	return base64.RawURLEncoding.EncodeToString(append(b, at.ID...))
}

func decodeCursor(text string) (countersign.Cursor, bool) {
	if len(text) > 128 {
		return countersign.Cursor{}, false
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(b) < 9 || b[0] != cursorVersion || !countersign.ValidVerificationID(string(b[9:])) {
		return countersign.Cursor{}, false
	}
	at := int64(binary.BigEndian.Uint64(b[1:]))
	return countersign.Cursor{Created: time.Unix(0, at).UTC(), ID: string(b[9:])}, at > 0
}
