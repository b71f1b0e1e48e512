package main

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"
)

func asnFile(t *testing.T, path string, asn uint32) {
	t.Helper()
	w, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: "GeoLite2-ASN", Description: map[string]string{"en": "made for a test"}, IncludeReservedNetworks: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, network := range []string{"198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32"} {
		_, n, err := net.ParseCIDR(network)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Insert(n, mmdbtype.Map{"autonomous_system_number": mmdbtype.Uint32(asn)}); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	if _, err := w.WriteTo(&out); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestOperators(t *testing.T) {
	path := filepath.Join(t.TempDir(), "asn.mmdb")
	asnFile(t, path, 64500)
	of, err := operators(path)
	if err != nil {
		t.Fatal(err)
	}
	for addr, want := range map[string]uint32{"198.51.100.7": 64500, "::ffff:203.0.113.9": 64500, "2001:db8::1": 64500, "192.0.2.1": 0} {
		if got, ok := of(netip.MustParseAddr(addr)); got != want || ok != (want != 0) {
			t.Errorf("%s is announced by %d, %v", addr, got, ok)
		}
	}
	if of, err := operators(""); of != nil || err != nil {
		t.Error("without a file")
	}
	sound, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"empty": nil, "text": []byte("AS64500 198.51.100.0/24"), "cut": sound[:len(sound)/2], "tail": sound[len(sound)/2:]} {
		bad := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(bad, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := operators(bad); err == nil || !strings.Contains(err.Error(), bad) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Two networks of one operator share its budget, and a file that is broken keeps the old one in use.
func TestOneOperatorsNetworksShareABudget(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "asn.mmdb")
	asnFile(t, path, 64500)
	main := fmt.Sprintf("mode: sandbox\nguard: {asn_file: %s}\n", path)
	i := serve(t, main)
	start := func(to, ip string) {
		t.Helper()
		body := fmt.Sprintf(`{"to":%q,"client":{"ip":%q}}`, to, ip)
		if status, v := i.call("POST", "/v1/verifications", body); status != http.StatusCreated {
			t.Fatalf("%d %v", status, v)
		}
	}
	used := func(ip string) (any, bool) {
		t.Helper()
		_, e := i.call("POST", "/v1/guard/explain", fmt.Sprintf(`{"to":"+14155550199","client":{"ip":%q}}`, ip))
		rule, ok := guardRules(t, e)["budget_asn"]
		return rule["used"], ok
	}
	start("+14155550120", "198.51.100.7")
	start("+14155550121", "203.0.113.9")
	if n, ok := used("198.51.100.200"); !ok || n != float64(2) {
		t.Errorf("budget_asn used: %v, %v", n, ok)
	}
	if n, ok := used("192.0.2.1"); ok {
		t.Errorf("an address of no operator: %v", n)
	}
	if err := os.WriteFile(path, []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	i.rewrite(main)
	i.awaitLog("asn.mmdb is not a sound MaxMind DB file")
	if n, ok := used("198.51.100.200"); !ok || n != float64(2) {
		t.Errorf("after a broken file: %v, %v", n, ok)
	}
}
