package twilioapi

import (
	"mime"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
)

// Bounds of a request.
const (
	maxBody   = 16 << 10
	maxFields = 64
	maxValue  = 4096
)

// form is a request's fields. Those of other names are passed over, as the service does.
type form map[string]string

// parseForm reads fields. One that comes twice, broken UTF-8, control characters and anything beyond the bounds are refused.
func parseForm(text string) (form, error) {
	f := form{}
	for n := 0; text != ""; n++ {
		if n >= maxFields {
			return nil, invalid("", "at most 64 fields")
		}
		var pair string
		pair, text, _ = strings.Cut(text, "&")
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(name)
		if err != nil {
			return nil, invalid("", "the form is not percent-encoded right")
		}
		if value, err = url.QueryUnescape(value); err != nil {
			return nil, invalid("", "the form is not percent-encoded right")
		}
		if len(name) > 64 || len(value) > maxValue || !plain(name) || !plain(value) {
			return nil, invalid("", "a field is too long, or not text in UTF-8")
		}
		if _, twice := f[name]; twice {
			return nil, invalid("", "a field comes twice")
		}
		f[name] = value
	}
	return f, nil
}

// plain says whether a value is text.
func plain(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for i := range len(s) {
		if s[i] < 0x20 && s[i] != '\n' && s[i] != '\r' && s[i] != '\t' || s[i] == 0x7f {
			return false
		}
	}
	return true
}

func formMedia(header string) bool {
	media, _, err := mime.ParseMediaType(header)
	return err == nil && media == "application/x-www-form-urlencoded"
}

// integer reads a number between two bounds; what is missing is the first of them with ok false.
func (f form) integer(name string, low, high int) (n int, ok bool, err error) {
	text, ok := f[name]
	if !ok || text == "" {
		return low, false, nil
	}
	if n, err = strconv.Atoi(text); err != nil || n < low || n > high || text[0] == '+' {
		return 0, false, invalid(name, "expected is a number from "+strconv.Itoa(low)+" to "+strconv.Itoa(high))
	}
	return n, true, nil
}

// object reads a field that is a JSON object of texts.
func (f form) object(name string, most int) (map[string]string, error) {
	text := f[name]
	if text == "" {
		return nil, nil
	}
	var m map[string]string
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		return nil, invalid(name, "expected is a JSON object of texts")
	}
	if len(m) > most {
		return nil, invalid(name, "at most "+strconv.Itoa(most)+" members")
	}
	for k, v := range m {
		if k == "" || len(k) > 128 || len(v) > 128 || !plain(k) || !plain(v) {
			return nil, invalid(name, "names and values are texts of at most 128 bytes")
		}
	}
	return m, nil
}
