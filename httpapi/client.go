package httpapi

// This file is the only one that decides which address a request comes from: limits are counted on it, so a header
// that anybody can write must not change it.

import (
	"net/http"
	"net/netip"
	"strings"

	"countersign"
)

// proxies are the peers whose X-Forwarded-For is believed.
type proxies []netip.Prefix

// maxHop is longer than any address with its brackets, zone and port.
const maxHop = 128

// maxHops is how many entries of X-Forwarded-For are looked at. No real chain is longer.
const maxHops = 20

// client is the address of a request's client: the socket's peer or, while that is a trusted proxy, the hop that it
// reports, from the right. What stands left of the first untrusted hop is that hop's own claim. The result is an
// IPv4 address or an IPv6 one without zone; it is invalid when the peer has none (a Unix socket).
func (p proxies) client(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	addr := plainAddr(peer.Addr())
	if len(p) == 0 || !p.trusts(addr) {
		return addr
	}
	lines := r.Header["X-Forwarded-For"]
	hops := 0
	for i := len(lines) - 1; i >= 0; i-- {
		rest := lines[i]
		for more := true; more; {
			if hops++; hops > maxHops {
				return addr
			}
			var hop string
			hop, rest, more = lastHop(rest)
			next, ok := parseHop(hop)
			if !ok {
				return addr // what is left of here cannot be attributed to anybody
			}
			if addr = next; !p.trusts(addr) {
				return addr
			}
		}
	}
	return addr
}

func (p proxies) trusts(a netip.Addr) bool {
	for _, prefix := range p {
		if prefix.Contains(a) {
			return true
		}
	}
	return false
}

// lastHop cuts the rightmost entry off a list.
func lastHop(list string) (hop, rest string, more bool) {
	if i := strings.LastIndexByte(list, ','); i >= 0 {
		return list[i+1:], list[:i], true
	}
	return list, "", false
}

// parseHop reads "192.0.2.1", "192.0.2.1:443", "2001:db8::1", "[2001:db8::1]" and "[2001:db8::1]:443".
func parseHop(text string) (netip.Addr, bool) {
	if text = strings.Trim(text, " \t"); len(text) > maxHop {
		return netip.Addr{}, false
	}
	if inner, ok := strings.CutPrefix(text, "["); ok && strings.HasSuffix(inner, "]") {
		text = inner[:len(inner)-1]
	}
	if a, err := netip.ParseAddr(text); err == nil {
		return plainAddr(a), true
	}
	if ap, err := netip.ParseAddrPort(text); err == nil {
		return plainAddr(ap.Addr()), true
	}
	return netip.Addr{}, false
}

// plainAddr drops what makes two addresses of one host differ. A zone is free text, too.
func plainAddr(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

// addressedToLoopback says whether a request was meant for this machine by name. A page of a foreign site can make a
// browser connect to 127.0.0.1 under its own name (DNS rebinding), and a tunnel says in X-Forwarded-Host whom it
// serves: neither may reach an inbox full of codes.
func addressedToLoopback(r *http.Request) bool {
	if !loopbackHost(r.Host) {
		return false
	}
	for _, name := range [...]string{"X-Forwarded-Host", "X-Host"} {
		for _, host := range r.Header[name] {
			if !loopbackHost(host) {
				return false
			}
		}
	}
	return true
}

func loopbackHost(host string) bool {
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		for _, c := range host[i+1:] {
			if c < '0' || c > '9' {
				return false
			}
		}
		host = host[:i]
	}
	if strings.EqualFold(strings.TrimSuffix(host, "."), "localhost") { // names know no case (RFC 9110, 4.2.3), and may end in a dot
		return true
	}
	return host == "127.0.0.1" || host == "[::1]"
}

// ClientAddress is how the other faces learn a request's client, by the same rule.
func ClientAddress(trusted []netip.Prefix) func(*http.Request) netip.Addr {
	return proxies(trusted).client
}

// ClientOf is who sent a request, for faces that are mounted beside this one.
func ClientOf(r *http.Request, trusted []netip.Prefix) countersign.Client {
	return countersign.Client{Addr: proxies(trusted).client(r), UserAgent: cut(r.UserAgent(), 512)}
}
