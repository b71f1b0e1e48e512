package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"countersign"
	"countersign/store/sqlstore"
)

// F-22 and INV-20: all keys of the instance are rotated while two nodes work. No request fails, codes of before still
// approve, and every proof verifies against the key set of either node. It takes as long as a new key waits to be known
// everywhere.
func TestKeysRotateUnderTraffic(t *testing.T) {
	t.Parallel() // it mostly waits
	place := newPlace(t, quiet, newRedis(t).start().env())
	nodes := []*instanceUnderTest{place.node(t), place.node(t)}
	var held []*journey
	for n := range 6 {
		held = append(held, begin(t, nodes[n%2], nodes[1-n%2], fmt.Sprintf("+1415555%04d", 9000+n)))
	}
	before := keySet(t, nodes[0])
	traffic := startTraffic(t, nodes)

	var active time.Time
	for _, use := range []string{"code", "tag", "seal"} {
		active = activation(t, place.must(t, "keys", "rotate", use))
	}
	place.must(t, "keys", "rotate", "signing")
	if code, _, errs := place.command(t, "keys", "rotate", "code"); code != exitFailed || !strings.Contains(errs, "eleven minutes") {
		t.Errorf("a second rotation at once: %d %s", code, errs)
	}
	time.Sleep(time.Until(active) + 1500*time.Millisecond) // until every node uses the new keys, and works with them for a while
	done := traffic.stop()

	for _, j := range held[1:] {
		if err := j.finish(); err != nil {
			t.Errorf("a code of before the rotation: %v", err)
		}
	}
	// The control: the new keys are in use indeed, so the test has seen both sides.
	last := begin(t, nodes[0], nodes[1], "+14155558000")
	keys := usedKeys(t, place, held[0], last, done[0])
	if keys[held[0]] != (madeWith{1, 1, 1}) || keys[last] != (madeWith{2, 2, 2}) {
		t.Errorf("control: code, tag and seal keys were %v before the rotation and %v after it", keys[held[0]], keys[last])
	}
	resendsTheSameCode(t, nodes, held[0])

	first := signedBy(t, done[0].proof)
	signsWithTheNewKey(t, nodes, first, append(done, held[1:]...), before)
}

// journey is one verification: begun on a node, checked on the other.
type journey struct {
	begun, checked *instanceUnderTest
	number         string
	id, code       string
	proof          string
}

func begin(t *testing.T, at, then *instanceUnderTest, number string) *journey {
	t.Helper()
	j := &journey{begun: at, checked: then, number: number}
	if err := j.begin(); err != nil {
		t.Fatal(err)
	}
	return j
}

func (j *journey) begin() error {
	r, err := j.begun.post("/v1/verifications", `{"to":"`+j.number+`"}`)
	if err != nil {
		return err
	}
	if r.status != http.StatusCreated {
		return refusalOf("a start", r)
	}
	j.id = r.text("id")
	j.code, err = j.begun.newest(j.number)
	return err
}

func (j *journey) finish() error {
	r, err := j.checked.post("/v1/verifications/"+j.id+"/checks", `{"code":"`+j.code+`"}`)
	if err != nil {
		return err
	}
	if j.proof = r.text("proof"); r.status != http.StatusOK || j.proof == "" {
		return refusalOf("a check", r)
	}
	return nil
}

// refused503 is what a journey ends with while the store is away.
type refused503 struct{ error }

func refusalOf(what string, r *reply) error {
	err := fmt.Errorf("%s: %d %v", what, r.status, r.body)
	if r.status == http.StatusServiceUnavailable {
		return refused503{err}
	}
	return err
}

// traffic is journeys one after the other on both nodes, until it is stopped.
type traffic struct {
	t    *testing.T
	end  chan struct{}
	all  sync.WaitGroup
	mu   sync.Mutex
	done []*journey
}

func startTraffic(t *testing.T, nodes []*instanceUnderTest) *traffic {
	tr := &traffic{t: t, end: make(chan struct{})}
	for w := range 4 {
		tr.all.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-tr.end:
					return
				case <-time.After(50 * time.Millisecond):
				}
				j := &journey{begun: nodes[w%2], checked: nodes[(w+n)%2], number: trafficNumber(w, n)}
				err := j.begin()
				if err == nil {
					err = j.finish()
				}
				if err != nil {
					t.Errorf("during the rotation: %v", err)
					return
				}
				tr.mu.Lock()
				tr.done = append(tr.done, j)
				tr.mu.Unlock()
			}
		})
	}
	t.Cleanup(sync.OnceFunc(func() { tr.stop() }))
	return tr
}

// trafficNumber is a worker's own number, none of the sandbox's that fail on purpose.
func trafficNumber(worker, n int) string {
	return fmt.Sprintf("+1415%d%02d%04d", worker+2, n/9000, 1000+n%9000)
}

// stop gives what was done, which must be more than a handful.
func (tr *traffic) stop() []*journey {
	select {
	case <-tr.end:
	default:
		close(tr.end)
	}
	tr.all.Wait()
	if len(tr.done) < 20 && !tr.t.Failed() {
		tr.t.Errorf("only %d journeys were made during the rotation", len(tr.done))
	}
	return tr.done
}

var printedInstant = regexp.MustCompile(`from (\S+) on`)

// activation reads when a rotated key comes into use.
func activation(t *testing.T, printed string) time.Time {
	t.Helper()
	found := printedInstant.FindStringSubmatch(printed)
	if found == nil {
		t.Fatalf("keys rotate printed %q", printed)
	}
	at, err := time.Parse(time.RFC3339, found[1])
	if err != nil {
		t.Fatal(err)
	}
	return at.Add(time.Second) // whole seconds are printed
}

// madeWith is the numbers of the keys that made a verification's code, tag and sealed part.
type madeWith struct{ code, tag, seal uint16 }

// usedKeys reads them from the log.
func usedKeys(t *testing.T, p *place, journeys ...*journey) map[*journey]madeWith {
	t.Helper()
	db, err := sqlstore.Open(t.Context(), filepath.Join(p.dir, "countersign.db"), sqlstore.Options{AnswerTimeout: 20 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	keys := map[*journey]madeWith{}
	for _, j := range journeys {
		var r *countersign.Record
		eventually(t, 10*time.Second, "the log has the verification", func() bool {
			r, err = db.Get(t.Context(), j.id)
			return err == nil
		})
		keys[j] = madeWith{r.CodeKey, r.Tag.Key, uint16(r.Sealed[0])<<8 | uint16(r.Sealed[1])}
	}
	return keys
}

// resendsTheSameCode sends a code of before the rotation again, by the node that did not make it.
func resendsTheSameCode(t *testing.T, nodes []*instanceUnderTest, j *journey) {
	t.Helper()
	travel(t, nodes[0], "31s")
	var r *reply
	eventually(t, 5*time.Second, "the cooldown is over on the other node", func() bool {
		r = j.checked.mustPost("/v1/verifications/"+j.id+"/sends", "")
		return r.text("code") != "resend_too_soon"
	})
	if r.status != http.StatusOK || j.checked.code(j.number) != j.code {
		t.Errorf("a resend of a code of before the rotation: %d %v", r.status, r.body)
	}
	if err := j.finish(); err != nil {
		t.Errorf("after that resend: %v", err)
	}
}

func travel(t *testing.T, i *instanceUnderTest, d string) {
	t.Helper()
	if status, a := i.call("POST", "/dev/clock", `{"advance":"`+d+`"}`); status != http.StatusOK {
		t.Fatalf("advancing the clock: %d %v", status, a)
	}
}

// signsWithTheNewKey travels to when the new signing key is in use, and verifies all proofs by the keys of both nodes.
func signsWithTheNewKey(t *testing.T, nodes []*instanceUnderTest, old string, done []*journey, before jose.JSONWebKeySet) {
	t.Helper()
	for _, node := range nodes { // published long before it signs
		eventually(t, 5*time.Second, "both signing keys are published", func() bool { return len(keySet(t, node).Keys) == 2 })
	}
	travel(t, nodes[0], "16m")
	for n, node := range nodes {
		tries := 0
		eventually(t, 5*time.Second, "the node has travelled too", func() bool {
			tries++
			r := node.mustPost("/v1/verifications", fmt.Sprintf(`{"to":"+1415555%04d"}`, 7000+1000*n+tries))
			created, err := time.Parse(time.RFC3339, r.text("created_at"))
			return err == nil && time.Until(created) > 15*time.Minute
		})
		fresh := begin(t, node, node, fmt.Sprintf("+1415555%04d", 7900+1000*n))
		if err := fresh.finish(); err != nil {
			t.Fatal(err)
		}
		if signedBy(t, fresh.proof) == old {
			t.Error("the node signs with the old key still")
		}
		if verifies(fresh.proof, before) == nil {
			t.Error("control: a proof of the new key verifies by the key set of before the rotation")
		}
		done = append(done, fresh)
	}
	for n, node := range nodes {
		set := keySet(t, node)
		for _, j := range done {
			if err := verifies(j.proof, set); err != nil {
				t.Fatalf("by the keys of node %d: %v", n, err)
			}
		}
	}
}

func keySet(t *testing.T, i *instanceUnderTest) (set jose.JSONWebKeySet) {
	t.Helper()
	if _, text := i.raw("GET", "/.well-known/jwks.json", ""); json.Unmarshal([]byte(text), &set) != nil || len(set.Keys) == 0 {
		t.Fatalf("the key set is %s", text)
	}
	return set
}

func verifies(proof string, set jose.JSONWebKeySet) error {
	token, err := jwt.ParseSigned(proof, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return err
	}
	return token.Claims(set, &map[string]any{})
}

// signedBy is the id of the key that signed a proof.
func signedBy(t *testing.T, proof string) string {
	t.Helper()
	token, err := jwt.ParseSigned(proof, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	return token.Headers[0].KeyID
}
