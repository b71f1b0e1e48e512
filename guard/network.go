package guard

import (
	"net/netip"
	"strconv"
)

// Bucket is the text under which a client address is counted: an IPv4 address whole, an IPv6 address by its /64,
// which is what one subscriber gets. A zone is no part of it.
func Bucket(addr netip.Addr) string {
	addr = addr.Unmap().WithZone("")
	if addr.Is4() {
		return addr.String()
	}
	p, err := addr.Prefix(64)
	if err != nil {
		return addr.String()
	}
	return p.String()
}

// Network is the text under which an address's network is counted: a /24 of IPv4, a /48 of IPv6, which is what one site
// gets.
func Network(addr netip.Addr) string {
	bits := 48
	if addr = addr.Unmap().WithZone(""); addr.Is4() {
		bits = 24
	}
	p, err := addr.Prefix(bits)
	if err != nil {
		return addr.String()
	}
	return p.String()
}

func asnText(n uint32) string { return "AS" + strconv.FormatUint(uint64(n), 10) }
