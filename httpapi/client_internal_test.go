package httpapi

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

// clientCases are seeds of the fuzz target, too.
var clientCases = []struct {
	name, peer, forwarded, want string
}{
	{"no header", "10.0.0.1:1", "", "10.0.0.1"},
	{"untrusted peer", "192.0.2.1:1", "203.0.113.7", "192.0.2.1"},
	{"one hop", "10.0.0.1:1", "203.0.113.7", "203.0.113.7"},
	{"left part is the client's claim", "10.0.0.1:1", "127.0.0.1, 198.51.100.9", "198.51.100.9"},
	{"trusted hops are passed", "10.0.0.1:1", "1.1.1.1, 198.51.100.9, 10.0.0.2", "198.51.100.9"},
	{"two lines", "10.0.0.1:1", "1.1.1.1\n198.51.100.9", "198.51.100.9"},
	{"all trusted", "10.0.0.1:1", "10.0.0.3, 10.0.0.2", "10.0.0.3"},
	{"port", "10.0.0.1:1", "198.51.100.9:443", "198.51.100.9"},
	{"brackets", "10.0.0.1:1", "[2001:db8::1]", "2001:db8::1"},
	{"brackets and port", "10.0.0.1:1", "[2001:db8::1]:443", "2001:db8::1"},
	{"bare v6", "10.0.0.1:1", "2001:db8:1:2:aaaa::1", "2001:db8:1:2:aaaa::1"},
	{"zone", "10.0.0.1:1", "fe80::1%eth0", "fe80::1"},
	{"v4 in v6", "[::ffff:10.0.0.1]:1", "::ffff:198.51.100.9", "198.51.100.9"},
	{"octal is no address", "10.0.0.1:1", "01.02.03.04", "10.0.0.1"},
	{"garbage after a trusted hop", "10.0.0.1:1", "nonsense, 10.0.0.2", "10.0.0.2"},
	{"empty", "10.0.0.1:1", " ", "10.0.0.1"},
	{"too many trusted hops", "10.0.0.1:1", "198.51.100.9" + strings.Repeat(", 10.0.0.9", 25), "10.0.0.9"},
	{"long list", "10.0.0.1:1", strings.Repeat("1.1.1.1, ", 500) + "198.51.100.9", "198.51.100.9"},
	{"no peer", "@", "198.51.100.9", "invalid IP"},
}

var trusted = proxies{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}

func requestFrom(peer, forwarded string) *http.Request {
	r := &http.Request{RemoteAddr: peer, Header: http.Header{}}
	if forwarded != "" {
		r.Header["X-Forwarded-For"] = strings.Split(forwarded, "\n")
	}
	return r
}

func TestClientAddress(t *testing.T) {
	for _, c := range clientCases {
		if got := trusted.client(requestFrom(c.peer, c.forwarded)).String(); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// naiveClient is what many programs do: believe the left end. It must not pass for the real one.
func naiveClient(r *http.Request) string {
	left, _, _ := strings.Cut(strings.Join(r.Header["X-Forwarded-For"], ","), ",")
	return strings.TrimSpace(left)
}

func TestClientAddressControl(t *testing.T) {
	wrong := 0
	for _, c := range clientCases {
		if naiveClient(requestFrom(c.peer, c.forwarded)) != c.want {
			wrong++
		}
	}
	if wrong < 5 {
		t.Errorf("the table tells a naive reader apart in %d rows only", wrong)
	}
}

func FuzzClientAddress(f *testing.F) {
	for _, c := range clientCases {
		f.Add(c.peer, c.forwarded)
	}
	f.Fuzz(func(t *testing.T, peer, forwarded string) {
		a := trusted.client(requestFrom(peer, forwarded))
		if a.Zone() != "" || a.Is4In6() || strings.ContainsAny(a.String(), "%\n") {
			t.Errorf("%q with %q gives %q", peer, forwarded, a)
		}
		if p, err := netip.ParseAddrPort(peer); err == nil && !trusted.trusts(plainAddr(p.Addr())) && a != plainAddr(p.Addr()) {
			t.Errorf("%q with %q moved an untrusted peer to %q", peer, forwarded, a)
		}
	})
}

func TestLoopbackHosts(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "localhost:8080": true, "127.0.0.1:1": true, "[::1]:8080": true, "[::1]": true, "127.0.0.1": true,
		"": false, "evil.example": false, "localhost.evil.example": false, "127.0.0.1.evil.example": false, "LOCALHOST": true, "localhost.": true, "LocalHost.:80": true, "localhost..": false, "127.0.0.1.": false,
		"localhost:8080@evil.example": false, "evil.example:80": false, "::1": false, "localhost:x": false,
	} {
		if got := loopbackHost(host); got != want {
			t.Errorf("%q: %t", host, got)
		}
	}
}
