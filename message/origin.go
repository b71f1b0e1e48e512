package message

import (
	"errors"
	"fmt"
	"strings"
)

// This file writes and reads the last line that binds a code to a web site, so that browsers offer it there only
// (WICG, "Origin-bound one-time codes delivered via SMS"), and the app hash by which Android hands a message to one app
// (SMS Retriever). Text behind the code on the last line is ignored by the former and must be last for the latter, so
// one line serves both.

// androidHashSize is the length of an app hash: base64 of nine bytes.
const androidHashSize = 11

// retrieverLimit is the longest message that SMS Retriever reads, in bytes of the air interface.
const retrieverLimit = 140

// checkHost accepts a host name as the origin line wants it: lower case, at least two labels, no scheme, no port.
func checkHost(host string) error {
	labels := strings.Split(host, ".")
	numeric := true
	for _, l := range labels {
		if l == "" || len(l) > 63 || l[0] == '-' || l[len(l)-1] == '-' {
			return errors.New("the origin must be a host name such as login.example.com")
		}
		for i := range len(l) {
			c := l[i]
			switch {
			case 'a' <= c && c <= 'z':
				numeric = false
			case '0' <= c && c <= '9', c == '-':
			default:
				return errors.New("the origin must be a host name in lower-case ASCII, without scheme, port or path, such as login.example.com")
			}
		}
	}
	if len(labels) < 2 || len(host) > 253 || numeric {
		return errors.New("the origin must be a full host name such as login.example.com")
	}
	return nil
}

// checkHash accepts an app hash.
func checkHash(hash string) error {
	if len(hash) != androidHashSize {
		return fmt.Errorf("the Android app hash has %d characters; it must have %d", len(hash), androidHashSize)
	}
	for i := range len(hash) {
		c := hash[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '+' || c == '/') {
			return errors.New("the Android app hash must be base64: letters, digits, + and /")
		}
	}
	return nil
}

// tail is what New puts behind a short message: the origin line, the app hash, both or nothing.
func tail(host, hash string) template {
	switch {
	case host != "" && hash != "":
		return template{{literal, "\n\n@" + host + " #"}, {field: fieldCode}, {literal, " " + hash}}
	case host != "":
		return template{{literal, "\n\n@" + host + " #"}, {field: fieldCode}}
	case hash != "":
		return template{{literal, "\n\n" + hash}}
	}
	return nil
}

// OriginBound is what a browser reads in a message.
type OriginBound struct {
	Host     string
	Code     string
	Embedded string // the host of the frame that may take the code; "" without one
}

// ParseOriginBound reads a message as a browser does: only the last line counts, which must be an @ and a host, one
// space, a # and the code. What follows is ignored, except the embedded host.
func ParseOriginBound(text string) (OriginBound, bool) {
	line := text[strings.LastIndexByte(text, '\n')+1:]
	if !strings.HasPrefix(line, "@") {
		return OriginBound{}, false
	}
	host, rest, ok := strings.Cut(line[1:], " ")
	if !ok || checkHost(host) != nil || !strings.HasPrefix(rest, "#") {
		return OriginBound{}, false
	}
	end := strings.IndexAny(rest, " \t\f\r")
	if end < 0 {
		end = len(rest)
	}
	o := OriginBound{Host: host, Code: rest[1:end]}
	if o.Code == "" {
		return OriginBound{}, false
	}
	if embedded, ok := strings.CutPrefix(rest[end:], " @"); ok {
		embedded, _, _ = strings.Cut(embedded, " ")
		if checkHost(embedded) == nil {
			o.Embedded = embedded
		}
	}
	return o, true
}
