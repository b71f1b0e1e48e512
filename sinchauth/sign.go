package sinchauth

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"time"
)

// timestampHeader is written in lower case in the string to sign; on the wire its case does not matter.
const timestampHeader = "x-timestamp"

// Parts are what a signature covers.
type Parts struct {
	Method      string // upper case
	Body        []byte // raw; nil and empty are the same
	ContentType string // the header exactly as sent; "" when it is not
	Timestamp   string // the x-timestamp header exactly as sent
	Path        string // with its leading slash, without host and query
}

// StringToSign joins the parts as the vendor does.
func (p Parts) StringToSign() string { return string(p.appendTo(nil)) }

func (p Parts) appendTo(b []byte) []byte {
	b = append(b, p.Method...)
	b = append(b, '\n')
	if len(p.Body) > 0 {
		sum := md5.Sum(p.Body) // the vendor's choice; the HMAC around it is SHA-256
		b = base64.StdEncoding.AppendEncode(b, sum[:])
	}
	b = append(b, '\n')
	b = append(b, p.ContentType...)
	b = append(b, '\n')
	b = append(b, timestampHeader...)
	b = append(b, ':')
	b = append(b, p.Timestamp...)
	b = append(b, '\n')
	return append(b, p.Path...)
}

// Sign makes the signature in base64.
func Sign(s Secret, p Parts) string {
	var sum [sha256.Size]byte
	return base64.StdEncoding.EncodeToString(sign(s, p.appendTo(nil), sum[:0]))
}

func sign(s Secret, text, into []byte) []byte {
	mac := hmac.New(sha256.New, s.raw)
	mac.Write(text)
	return mac.Sum(into)
}

// SignRequest sets the x-timestamp and Authorization headers of a request whose body is exactly these bytes. The
// Content-Type must be set before and nothing may change it afterwards.
func SignRequest(r *http.Request, body []byte, c Credentials, now time.Time) {
	signHeaders(r, "Application ", body, c, now)
}

// SignCallback is SignRequest with the scheme in lower case, as the vendor's callbacks have it: one of its libraries
// accepts no other.
func SignCallback(r *http.Request, body []byte, c Credentials, now time.Time) {
	signHeaders(r, "application ", body, c, now)
}

func signHeaders(r *http.Request, scheme string, body []byte, c Credentials, now time.Time) {
	ts := formatTimestamp(now)
	sig := Sign(c.Secret, Parts{
		Method: r.Method, Body: body, ContentType: r.Header.Get("Content-Type"), Timestamp: ts, Path: pathOf(r),
	})
	r.Header.Set(timestampHeader, ts)
	r.Header.Set("Authorization", scheme+c.Key+":"+sig)
}

// BasicRequest sets a Basic Authorization header: the vendor's form for trying things out.
func BasicRequest(r *http.Request, c Credentials) { r.SetBasicAuth(c.Key, c.Secret.text) }

// formatTimestamp writes an instant as this package sends it: UTC with seven fraction digits, as real callbacks have.
func formatTimestamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.0000000Z") }

func pathOf(r *http.Request) string {
	if p := r.URL.EscapedPath(); p != "" {
		return p
	}
	return "/"
}
