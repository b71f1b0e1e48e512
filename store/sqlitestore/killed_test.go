package sqlitestore_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"countersign"
	"countersign/store/sqlitestore"
	"countersign/store/storetest"
)

// The child's settings. Told to answer early, it says what it did before it does it, as a store would that
// answers before its transaction is on the disk.
const (
	childFile = "COUNTERSIGN_TEST_CHILD_FILE"
	childMode = "COUNTERSIGN_TEST_CHILD_MODE"
	early     = "early"
)

// runChild makes moves until it is killed, and says each of them on a line once it has the answer.
func runChild(path string, early bool) {
	s, err := sqlitestore.Open(context.Background(), path, sqlitestore.Options{Timeout: 20 * time.Second})
	if err != nil {
		panic(err)
	}
	ring, err := storetest.NewKeyring()
	if err != nil {
		panic(err)
	}
	c := &child{store: s, ring: ring, early: early}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for {
				c.flow()
			}
		})
	}
	all.Wait()
}

type child struct {
	store *sqlitestore.Store
	ring  *countersign.Keyring
	early bool
	mu    sync.Mutex
}

// step makes a move and says it, in the order that the mode wants.
func (c *child) step(line string, move func() error) {
	say := func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		fmt.Println(line)
	}
	if c.early {
		say()
	}
	if err := move(); err != nil {
		panic(err)
	}
	if !c.early {
		say()
	}
}

// flow begins, guesses wrong twice and then right.
func (c *child) flow() {
	ctx := context.Background()
	b := storetest.NewBegin(c.ring, app, storetest.NewPhone(), code)
	id := b.Record.ID
	c.step("began "+id+" 0", func() error { _, err := c.store.Begin(ctx, b); return err })
	for i, typed := range []string{wrong, wrong, code} {
		check, err := storetest.NewCheck(c.ring, app, id, typed)
		if err != nil {
			panic(err)
		}
		word := "guessed"
		if typed == code {
			word = "approved"
		}
		c.step(fmt.Sprint(word, " ", id, " ", i+1), func() error { _, err := c.store.Check(ctx, check); return err })
	}
}

// killChild runs a child, kills it after so many answers, and gives what it had said.
func killChild(t *testing.T, path, mode string, answers int) []string {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), childFile+"="+path, childMode+"="+mode)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for said := bufio.NewScanner(out); said.Scan(); {
		lines = append(lines, said.Text())
		if len(lines) == answers {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); err == nil {
		t.Fatal("the child ended by itself")
	}
	if len(lines) < answers {
		t.Fatalf("the child said %d lines", len(lines))
	}
	return lines
}

// lost opens the file and counts what was said and is not there.
func lost(t *testing.T, path string, lines []string) int {
	t.Helper()
	s := open(t, path)
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	n := 0
	for _, line := range lines {
		word, rest, _ := strings.Cut(line, " ")
		id, count, ok := strings.Cut(rest, " ")
		checks, err := strconv.Atoi(count)
		if !ok || err != nil {
			continue // the kill cut the last line
		}
		o, ok, err := s.Lookup(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case !ok, o.Record.Checks < checks, o.Phone.ChecksLeft > countersign.MaxPhoneChecks-checks:
			n++
		case word == "approved" && (o.Record.Status != countersign.StatusApproved || o.Record.JTI == ""):
			n++
		}
	}
	return n
}

// TestKilled kills a process at its work, again and again on one file: nothing that it answered is lost (INV-5).
// The control answers before the work is done, and must lose something.
func TestKilled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hot.db")
	for round := range 3 {
		lines := killChild(t, path, "", 300+97*round)
		if n := lost(t, path, lines); n != 0 {
			t.Errorf("round %d: %d of %d answers are lost", round, n, len(lines))
		}
	}
	losses := 0
	for round := range 3 {
		losses += lost(t, path, killChild(t, path, early, 300+97*round))
	}
	if losses == 0 {
		t.Error("a store that answers early lost nothing: this test finds nothing")
	}
}

// TestTornLog damages the end of the write-ahead log, as a failing power supply may: the file opens, is sound, and
// has everything before the damage.
func TestTornLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hot.db")
	lines := killChild(t, path, "", 300)
	info, err := os.Stat(path + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	patch(t, path+"-wal", info.Size()-300, make([]byte, 300))
	if n := lost(t, path, lines[:len(lines)/2]); n != 0 {
		t.Errorf("%d answers from long before the damage are lost", n)
	}
	s := open(t, path)
	defer s.Close()
	if err := s.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}
