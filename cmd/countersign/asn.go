package main

import (
	"fmt"
	"net/netip"
	"os"

	"github.com/oschwald/maxminddb-golang/v2"
)

// operators reads which operator (AS number) announces an address from a MaxMind DB file, nil without one. The file is read
// into memory whole, so it may be replaced at any time; SIGHUP reads it again.
func operators(path string) (func(netip.Addr) (uint32, bool), error) {
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("guard.asn_file: %w", err)
	}
	db, err := maxminddb.OpenBytes(text)
	if err == nil {
		err = db.Verify()
	}
	if err != nil {
		return nil, fmt.Errorf("guard.asn_file: %s is not a sound MaxMind DB file: %w", path, err)
	}
	return func(addr netip.Addr) (uint32, bool) {
		var asn uint32
		err := db.Lookup(addr.Unmap().WithZone("")).DecodePath(&asn, "autonomous_system_number")
		return asn, err == nil && asn != 0
	}, nil
}
