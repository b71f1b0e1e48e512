package main

import (
	"bufio"
	"net/http"
	"strings"
	"testing"
	"time"
)

// A page that watches the inbox hears of a message at once, and does not keep the program from stopping.
func TestTheInboxIsLive(t *testing.T) {
	i := serve(t, "")
	watching := &http.Client{Transport: &http.Transport{}}
	defer watching.CloseIdleConnections()
	res, err := watching.Get(i.url + "/dev/inbox/events")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	next := func() string {
		for lines.Scan() {
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				return data
			}
		}
		return ""
	}
	for _, to := range []string{"+14155550130", "+14155550131"} {
		if status, a := i.call("POST", "/v1/verifications", `{"to":"`+to+`"}`); status != http.StatusCreated {
			t.Fatalf("%d %v", status, a)
		}
		if data := next(); !strings.Contains(data, `"to":"`+to+`"`) || !strings.Contains(data, i.code(to)) {
			t.Errorf("the event of a message to %s is %q", to, data)
		}
	}
	began := time.Now()
	i.stop()
	if took := time.Since(began); took > 5*time.Second { // a quiet stream is written to every 15 s, and shutdown_grace is 20 s
		t.Errorf("stopping took %s", took)
	}
	if data := next(); data != "" || lines.Err() != nil {
		t.Errorf("the stream did not end in good order: %q, %v", data, lines.Err())
	}
}
