package main

import (
	"fmt"
	"net/http"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// INV-18: a program that has served and stopped leaves no goroutine and no open file behind, on either store; and while it
// serves, what it has open does not grow with what it has served. (TestMain of every package with goroutines looks for
// leaks at its end as well.) The control keeps one of each, and is found. Nothing else may run in this process meanwhile.
func TestNothingLeaks(t *testing.T) {
	for name, place := range map[string]*place{
		"sqlite": newPlace(t, quiet),
		"redis":  newPlace(t, quiet, newRedis(t).start().env()),
	} {
		t.Run(name, func(t *testing.T) {
			served(t, place) // what libraries start and open once
			files, ignored := openFiles(t), goleak.IgnoreCurrent()
			for range 3 {
				served(t, place)
			}
			if wrong := leaked(t, files, ignored, 30*time.Second); wrong != "" {
				t.Error(wrong)
			}
		})
	}

	files, ignored := openFiles(t), goleak.IgnoreCurrent()
	kept, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	if leaked(t, files, ignored, 100*time.Millisecond) == "" {
		t.Error("control: an open file was not found, so this test proves nothing")
	}
	kept.Close()
	release := make(chan struct{})
	go func() { <-release }()
	if leaked(t, files, ignored, 100*time.Millisecond) == "" {
		t.Error("control: a goroutine was not found, so this test proves nothing")
	}
	close(release)
}

// served runs the program once: verifications of every end, a session, a page, the inbox as it comes, and clients that hang up.
func served(t *testing.T, place *place) {
	t.Helper()
	i := place.node(t)
	i.raw("DELETE", "/dev/limits", "")
	rounds := func(from int) {
		for n := from; n < from+20; n++ {
			j := begin(t, i, i, fmt.Sprintf("+1415557%04d", 1000+n))
			i.mustPost("/v1/verifications/"+j.id+"/checks", `{"code":"`+other(j.code)+`"}`)
			if n%2 == 0 {
				if err := j.finish(); err != nil {
					t.Fatal(err)
				}
			} else {
				i.mustPost("/v1/verifications/"+j.id+"/cancel", "")
			}
			i.raw("GET", "/verify", "")
		}
	}
	i.logIn("+14155579999")
	i.hangUp(t)
	rounds(0)
	before := openFiles(t)
	rounds(20)
	if now := openFiles(t); now > before+2 { // a connection more that a pool keeps
		t.Errorf("%d files were open after twenty verifications, %d after forty", before, now)
	}
	if code := i.stop(); code != exitDone {
		t.Fatalf("the program ended with %d", code)
	}
}

// hangUp opens the inbox's stream and leaves it.
func (i *instanceUnderTest) hangUp(t *testing.T) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, i.url+"/dev/inbox/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := i.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := res.Body.Close(); err != nil {
		t.Error(err)
	}
}

// leaked waits for what is ending, and says what does not end.
func leaked(t *testing.T, files int, ignored goleak.Option, within time.Duration) (wrong string) {
	t.Helper()
	for deadline := time.Now().Add(within); ; time.Sleep(10 * time.Millisecond) {
		wrong = ""
		if err := goleak.Find(ignored); err != nil {
			wrong = err.Error()
		} else if now := openFiles(t); now > files {
			wrong = fmt.Sprintf("%d files are open, there were %d", now, files)
		}
		if wrong == "" || time.Now().After(deadline) {
			return wrong
		}
	}
}

// openFiles counts what this process has open.
func openFiles(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}
