package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// INV-10: whoever asks about a number must not learn from the answer, nor from how long it takes, whether that number
// was verified here before and has a user. Known numbers are verified and logged in, a day passes (the limits of a phone are told on purpose, to
// everybody who runs into them), and then starts and checks of known and of new numbers are compared in pairs.

const (
	roundPairs       = 250 // the known numbers; each round they are asked for beside as many fresh ones
	controlPairs     = 100
	enumerationBatch = 50 // pairs that go step by step; the inbox holds all their messages
	// Latencies are told apart at p = 0.01, so one run in a hundred fails by chance, and more where another process
	// takes the processor away from one side of the pairs. A real difference is there in every run.
	timingAttempts = 3
)

func TestKnownNumbersAreNotTold(t *testing.T) {
	// Under the race detector SQLite, which is Go here, takes several times as long as Redis, which is not instrumented.
	rounds := map[string]int{"redis": 4, "sqlite": 1}
	if os.Getenv("COUNTERSIGN_SOAK") != "" {
		rounds["sqlite"] = 4
	}
	for store, count := range rounds {
		t.Run(store, func(t *testing.T) {
			var environ []string
			if store == "redis" {
				address, _ := redisServer(t)
				environ = append(environ, "REDIS_URL="+address)
			}
			// The day that passes leaves the store much to clear away; nothing is to fail of that here.
			i := serve(t, "mode: sandbox\nlog: {level: error}\nstore_timeout: 10s\n", environ...)
			e := &enumeration{t: t, i: i, known: freshNumbers(0, roundPairs), batch: 1}
			verifyAll(t, i, e.known)
			e.nothingIsTold(count)
			if store == "redis" {
				e.leaksAreFound()
			}
		})
	}
}

// enumeration is somebody who tries numbers.
type enumeration struct {
	t     *testing.T
	i     *instanceUnderTest
	known []string
	batch int // of fresh numbers, the next one
}

// round compares the known numbers with as many fresh ones, a day after everything that was before.
func (e *enumeration) round(base string, into []*pairedStep) {
	e.t.Helper()
	if status, a := e.i.call("POST", "/dev/clock", `{"advance":"25h"}`); status != http.StatusOK {
		e.t.Fatalf("advancing the clock: %d %v", status, a)
	}
	comparePairs(e.t, e.i, base, e.known, freshNumbers(e.batch, len(e.known)), into)
	e.batch++
}

func (e *enumeration) nothingIsTold(rounds int) {
	e.t.Helper()
	for attempt := 1; ; attempt++ {
		steps := enumerationSteps()
		if rounds > 1 {
			steps = steps[:len(steps)-1] // the last says the same in one
		}
		for range rounds {
			e.round(e.i.url, steps)
		}
		for _, s := range steps {
			if s.differs != "" {
				e.t.Fatalf("%s: the answers differ:\n%s", s.name, s.differs)
			}
			e.t.Logf("%s: p = %.3f, median difference %s", s.name, s.p(), s.medianDifference())
		}
		if !slices.ContainsFunc(steps, (*pairedStep).told) {
			return
		}
		if attempt == timingAttempts {
			e.t.Fatal("the time of an answer tells whether a number is known")
		}
	}
}

// leaksAreFound is the control: the same comparison finds a gateway that tells.
func (e *enumeration) leaksAreFound() {
	e.t.Helper()
	e.known = e.known[:controlPairs]
	for n, leak := range []leakyGateway{{known: e.known, slower: 1500 * time.Microsecond}, {known: e.known, longer: true}} {
		start := enumerationSteps()[:1]
		e.round(leak.serve(e.t, e.i.url), start)
		if found := start[0].differs != ""; found != leak.longer {
			e.t.Errorf("control %d: differing bytes were found: %t\n%s", n, found, start[0].differs)
		}
		if leak.slower > 0 && !start[0].told() {
			e.t.Errorf("control %d: p = %.3f and a median difference of %s were not found", n, start[0].p(), start[0].medianDifference())
		}
	}
}

// freshNumbers are numbers that no other batch has, and none that fails on purpose.
func freshNumbers(batch, count int) []string {
	list := make([]string, 0, count)
	for n := batch * 10000; len(list) < count; n++ {
		if last := n % 10000; last < 500 || last > 509 {
			list = append(list, fmt.Sprintf("+1415%07d", 2000000+n))
		}
	}
	return list
}

// verifyAll verifies numbers, many at a time: only what follows is measured.
func verifyAll(t *testing.T, i *instanceUnderTest, numbers []string) {
	t.Helper()
	for batch := range slices.Chunk(numbers, enumerationBatch) {
		sides := make([]*side, len(batch))
		for n, number := range batch {
			sides[n] = &side{number: number}
		}
		for _, s := range enumerationSteps() {
			s.prepare(t, i, sides)
			failed := make(chan error, len(sides))
			for _, one := range sides {
				go func() {
					_, err := one.take(i, i.url, s)
					failed <- err
				}()
			}
			for range sides {
				if err := <-failed; err != nil {
					t.Fatalf("%s: %v", s.name, err)
				}
			}
		}
	}
}

// codes are the newest codes of all numbers in the inbox.
func (i *instanceUnderTest) codes() map[string]string {
	i.t.Helper()
	_, text := i.raw("GET", "/dev/inbox.json", "")
	var box struct{ Messages []struct{ To, Code string } }
	if err := json.Unmarshal([]byte(text), &box); err != nil {
		i.t.Fatal(err)
	}
	codes := map[string]string{}
	for _, m := range box.Messages {
		if _, newer := codes[m.To]; !newer {
			codes[m.To] = m.Code
		}
	}
	return codes
}

// timedAnswer is all that somebody who asks can see.
type timedAnswer struct {
	status   int
	location string
	proof    string
	text     string // status, headers and body, with what must differ blanked
	took     time.Duration
}

// blank takes out what differs between any two answers: ids, proofs, numbers, instants, and how far a message has come,
// which receipts change a moment after it. Each begins with one of these marks and ends with a quote or a line.
func blank(text string) string {
	for _, mark := range []string{`"proof":"`, `"device_token":"`, `"access_token":"`, `"refresh_token":"`, "usr_", "ver_", "msg_", "req_", "+1415", `"20`, `"provider":"sandbox","status":"`} {
		parts := strings.Split(text, mark)
		for n := 1; n < len(parts); n++ {
			parts[n] = parts[n][max(0, strings.IndexAny(parts[n], "\"\r\n")):]
		}
		text = strings.Join(parts, mark)
	}
	return text
}

func (i *instanceUnderTest) timed(base, path, body string) (*timedAnswer, error) {
	req, err := http.NewRequest("POST", base+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+i.key)
	req.Header.Set("Content-Type", "application/json")
	began := time.Now()
	res, err := i.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	took := time.Since(began)
	if err != nil {
		return nil, err
	}
	var seen bytes.Buffer
	fmt.Fprintln(&seen, res.Status)
	location := res.Header.Get("Location")
	res.Header.Del("Date")
	res.Header.Del("Content-Length") // a millisecond that ends in 0 is written without it
	if err := res.Header.Write(&seen); err != nil {
		return nil, err
	}
	seen.Write(text)
	_, proof, _ := strings.Cut(string(text), `"proof":"`)
	proof, _, _ = strings.Cut(proof, `"`)
	return &timedAnswer{status: res.StatusCode, location: location, proof: proof, text: blank(seen.String()), took: took}, nil
}

// pairedStep gathers one kind of request over all pairs.
type pairedStep struct {
	name         string
	status       int
	openly       bool // whoever gets so far is told the difference: only what else the answers say is compared
	request      func(d *side) (path, body string)
	known, fresh []float64 // ms
	differs      string    // the first pair of answers that were not the same
}

func enumerationSteps() []*pairedStep {
	return []*pairedStep{
		{name: "start", status: 201, request: func(d *side) (string, string) {
			return "/v1/verifications", `{"to":"` + d.number + `"}`
		}},
		{name: "wrong check", status: 422, request: func(d *side) (string, string) {
			return d.location + "/checks", `{"code":"` + string('0'+(d.code[0]-'0'+1)%10) + d.code[1:] + `"}`
		}},
		{name: "right check", status: 200, request: func(d *side) (string, string) {
			return d.location + "/checks", `{"code":"` + d.code + `"}`
		}},
		// Whoever has proved a number is told since when it has a user, and nothing else.
		{name: "login", status: 201, openly: true, request: func(d *side) (string, string) {
			return "/v1/sessions", `{"proof":"` + d.proof + `"}`
		}},
	}
}

// prepare gives the sides their codes before the first check.
func (s *pairedStep) prepare(t *testing.T, i *instanceUnderTest, sides []*side) {
	t.Helper()
	if s.name != "wrong check" {
		return
	}
	codes := i.codes()
	for _, one := range sides {
		if one.code = codes[one.number]; one.code == "" {
			t.Fatalf("no message came to %s", one.number)
		}
	}
}

// side is one number of a pair on its way.
type side struct{ number, code, location, proof string }

func (d *side) take(i *instanceUnderTest, base string, s *pairedStep) (*timedAnswer, error) {
	path, body := s.request(d)
	answer, err := i.timed(base, path, body)
	if err != nil {
		return nil, err
	}
	if answer.status != s.status {
		return nil, errors.New(answer.text)
	}
	if answer.location != "" {
		d.location = answer.location
	}
	if answer.proof != "" {
		d.proof = answer.proof
	}
	return answer, nil
}

// comparePairs takes the pairs through steps. The two of a pair always follow one
// another, so that what else the machine does hits both alike; which of them goes first changes from pair to pair.
func comparePairs(t *testing.T, i *instanceUnderTest, base string, known, fresh []string, steps []*pairedStep) {
	t.Helper()
	for first := 0; first < len(known); first += enumerationBatch {
		last := min(first+enumerationBatch, len(known))
		// These are numbers of one range that nobody confirms: its budget is not what is tried here.
		if status, a := i.raw("DELETE", "/dev/limits", ""); status != http.StatusNoContent {
			t.Fatalf("forgetting limits: %d %s", status, a)
		}
		var sides []*side // by twos: a known number, a fresh one
		for n := first; n < last; n++ {
			sides = append(sides, &side{number: known[n]}, &side{number: fresh[n]})
		}
		for _, s := range steps {
			s.prepare(t, i, sides)
			for n := 0; n < len(sides); n += 2 {
				s.compare(t, i, base, sides[n], sides[n+1], n%4 == 0)
			}
		}
	}
}

func (s *pairedStep) compare(t *testing.T, i *instanceUnderTest, base string, known, fresh *side, knownFirst bool) {
	t.Helper()
	order := []*side{fresh, known}
	if knownFirst {
		order = []*side{known, fresh}
	}
	answers := map[*side]*timedAnswer{}
	for _, one := range order {
		answer, err := one.take(i, base, s)
		if err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		answers[one] = answer
	}
	s.known = append(s.known, float64(answers[known].took)/float64(time.Millisecond))
	s.fresh = append(s.fresh, float64(answers[fresh].took)/float64(time.Millisecond))
	if a, b := answers[known].text, answers[fresh].text; a != b && s.differs == "" {
		s.differs = a + "\n---\n" + b
	}
}

// told says whether the times of this step give known numbers away. A login makes a row or changes one, in one statement:
// that is not to the microsecond the same.
func (s *pairedStep) told() bool {
	return !s.openly && s.p() <= 0.01 || s.medianDifference().Abs() >= time.Millisecond
}

// medianDifference is the median over the pairs of how much longer the known number took.
func (s *pairedStep) medianDifference() time.Duration {
	diffs := make([]float64, len(s.known))
	for n := range diffs {
		diffs[n] = s.known[n] - s.fresh[n]
	}
	slices.Sort(diffs)
	return time.Duration(diffs[len(diffs)/2] * float64(time.Millisecond))
}

// p is the two-sample Kolmogorov-Smirnov test: how likely two samples of one distribution lie as far apart as these.
func (s *pairedStep) p() float64 {
	a, b := slices.Sorted(slices.Values(s.known)), slices.Sorted(slices.Values(s.fresh))
	var farthest float64
	for x, y := 0, 0; x < len(a) && y < len(b); {
		at := min(a[x], b[y])
		for x < len(a) && a[x] == at {
			x++
		}
		for y < len(b) && b[y] == at {
			y++
		}
		farthest = max(farthest, math.Abs(float64(x)/float64(len(a))-float64(y)/float64(len(b))))
	}
	n := math.Sqrt(float64(len(a)*len(b)) / float64(len(a)+len(b)))
	lambda := (n + 0.12 + 0.11/n) * farthest // Stephens' approximation
	if lambda < 0.2 {
		return 1 // the series does not converge there
	}
	var sum float64
	for k, sign := 1.0, 1.0; k <= 100; k, sign = k+1, -sign {
		sum += sign * math.Exp(-2*k*k*lambda*lambda)
	}
	return min(1, max(0, 2*sum))
}

// leakyGateway stands before the instance and gives known numbers away.
type leakyGateway struct {
	known  []string
	slower time.Duration
	longer bool // by one byte
}

func (l leakyGateway) serve(t *testing.T, target string) string {
	t.Helper()
	behind, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, number := range l.known {
		known[`{"to":"`+number+`"}`] = true
	}
	transport := &http.Transport{}
	proxy := &httputil.ReverseProxy{Transport: transport, Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(behind) }}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		if !known[string(body)] {
			proxy.ServeHTTP(w, r)
			return
		}
		time.Sleep(l.slower)
		if l.longer {
			w = &lengthened{w}
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		server.Close()
		transport.CloseIdleConnections()
	})
	return server.URL
}

// lengthened adds a blank to an answer.
type lengthened struct{ http.ResponseWriter }

func (l *lengthened) WriteHeader(status int) {
	l.Header().Del("Content-Length")
	l.ResponseWriter.WriteHeader(status)
}

func (l *lengthened) Write(b []byte) (int, error) {
	if _, err := l.ResponseWriter.Write(append(slices.Clone(b), ' ')); err != nil {
		return 0, err
	}
	return len(b), nil
}
