package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// build makes the program once, without the race detector: what is tried here is that it dies.
var build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "countersign-kill")
	if err != nil {
		return "", err
	}
	binary := filepath.Join(dir, "countersign")
	if out, err := exec.Command("go", "build", "-o", binary, "countersign/cmd/countersign").CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return binary, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if binary, err := build(); err == nil {
		_ = os.RemoveAll(filepath.Dir(binary)) // the system clears what is left
	}
	os.Exit(code)
}

func tried(t *testing.T, s settings) *verdict {
	t.Helper()
	binary, err := build()
	if err != nil {
		t.Fatal(err)
	}
	s.binary, s.dir = binary, t.TempDir()
	r, err := s.run()
	if err != nil {
		log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
		t.Fatalf("%v\n%s", err, log)
	}
	v := judge(r.h.events())
	t.Logf("%+v", *v)
	if s.outage > 0 {
		t.Logf("answered starts: median %s, 99th %s, slowest %s", r.quantile(.5), r.quantile(.99), r.quantile(1))
		if slowest := r.quantile(.99); slowest > 4*time.Second {
			t.Errorf("of 100 starts the slowest took %s: more than three seconds are lost with a vendor", slowest)
		}
	}
	for _, violation := range v.Violations {
		t.Error(violation)
	}
	if v.Accepted < 20 || v.Approved < v.Accepted/2 {
		t.Errorf("only %d starts were accepted and %d approved: the run shows nothing", v.Accepted, v.Approved)
	}
	return v
}

// INV-14, F-15: the program is killed with kill -9 at any moment, under load. Every start that was accepted is sent, with one
// code, within five seconds of the restart; nothing that was approved is approved again.
func TestKilledAtAnyMoment(t *testing.T) {
	s := settings{cycles: 6, rate: 100}
	if os.Getenv("COUNTERSIGN_SOAK") != "" {
		s.cycles = 1000
	}
	if v := tried(t, s); v.Kills != s.cycles || v.Repeated == 0 {
		t.Errorf("%d kills, after which %d messages were sent again: the kills met nothing", v.Kills, v.Repeated)
	}
}

// The first of two vendors fails, and then keeps silent, at 200 starts a second: no start is lost and no code is wrong.
func TestAVendorGoesAway(t *testing.T) {
	s := settings{rate: 200, outage: 3 * time.Second}
	if os.Getenv("COUNTERSIGN_SOAK") != "" {
		s.outage = 5 * time.Minute
	}
	for name, hang := range map[string]bool{"fails": false, "is silent": true} {
		t.Run(name, func(t *testing.T) {
			s.hang = hang
			tried(t, s)
		})
	}
}

// The judge is the control of both: it must find what they must not have.
func TestTheJudgeFindsWhatIsWrong(t *testing.T) {
	fine := `{"at":1,"what":"up"}
		{"at":10,"what":"accepted","id":"a"} {"at":11,"what":"message","id":"a","code":"1"}
		{"at":12,"what":"checked","id":"a","code":"1","result":"approved"}
		{"at":13,"what":"accepted","id":"b"} {"at":14,"what":"kill"} {"at":15,"what":"up"}
		{"at":16,"what":"message","id":"b","code":"2"}
		{"at":17,"what":"accepted","id":"c"} {"at":18,"what":"read","id":"c","result":"undeliverable"}`
	for name, tt := range map[string]struct{ more, want string }{
		"nothing":              {"", ""},
		"a lost start":         {`{"at":20,"what":"accepted","id":"d"}`, "never sent"},
		"still pending":        {`{"at":20,"what":"accepted","id":"d"} {"at":21,"what":"read","id":"d","result":"pending"}`, "never sent"},
		"two codes":            {`{"at":20,"what":"message","id":"b","code":"3"} {"at":21,"what":"checked","id":"b","code":"3","result":"approved"}`, "not sent"},
		"called wrong":         {`{"at":20,"what":"checked","id":"b","code":"2","result":"incorrect_code"}`, "called wrong"},
		"approved twice":       {`{"at":20,"what":"checked","id":"a","code":"1","result":"approved"}`, "approved 2 times"},
		"sent again and again": {`{"at":20,"what":"message","id":"a","code":"1"} {"at":21,"what":"message","id":"a","code":"1"} {"at":22,"what":"message","id":"a","code":"1"}`, "sent 4 times"},
		"late":                 {`{"at":100,"what":"accepted","id":"d"} {"at":101,"what":"kill"} {"at":102,"what":"up"} {"at":6000000000,"what":"message","id":"d","code":"4"}`, "only after"},
	} {
		list, err := readHistory(strings.NewReader(fine + tt.more))
		if err != nil {
			t.Fatal(err)
		}
		found := strings.Join(judge(list).Violations, "\n")
		if (tt.want == "") != (found == "") || !strings.Contains(found, tt.want) {
			t.Errorf("%s: found %q, want %q", name, found, tt.want)
		}
	}
	two := `{"at":1,"what":"message","id":"a","code":"1"} {"at":2,"what":"message","id":"a","code":"2"}`
	if list, err := readHistory(strings.NewReader(two)); err != nil || judge(list).WrongCode != 1 {
		t.Errorf("two codes of one verification: %v", err)
	}
}
