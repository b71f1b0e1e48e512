package redisstore

import (
	"strings"
	"testing"
	"time"

	"countersign"
	"countersign/store/storetest"
)

func contains(text, part string) bool { return strings.Contains(text, part) }

func open(t testing.TB, o Options) *Store {
	t.Helper()
	s, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// patient is a timeout for tests that are not about time, on machines that do much else.
const patient = 5 * time.Second

// INV-1 to INV-4, INV-8 and INV-13 are scenarios of the suite; their control is storetest's TestControl.
func TestStore(t *testing.T) {
	server := startRedis(t)
	storetest.Run(t, func(t *testing.T) countersign.Store {
		server.do("FLUSHALL")
		s, err := Open(t.Context(), Options{URL: server.url(), Timeout: patient})
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}

// On a cluster every scenario runs as well: a script that touched a key of another slot would be refused.
func TestStoreOnCluster(t *testing.T) {
	nodes := startCluster(t, 3)
	hosts := make([]string, len(nodes))
	for i, n := range nodes {
		hosts[i] = n.addr()
	}
	if _, err := Open(t.Context(), Options{URL: nodes[0].url()}); err == nil || !strings.Contains(err.Error(), "redis+cluster://") {
		t.Errorf("a cluster's node under a URL for one server: %v", err)
	}
	storetest.Run(t, func(t *testing.T) countersign.Store {
		for _, n := range nodes {
			n.do("FLUSHALL")
		}
		s, err := Open(t.Context(), Options{URL: "redis+cluster://" + strings.Join(hosts, ","), Timeout: patient})
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}
