package sqlstore_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"countersign"
	"countersign/store/sqlstore"
)

const childEnv = "COUNTERSIGN_SQLSTORE_CHILD"

// child writes batches and approvals for ever and says on its output which are acknowledged.
func child() {
	d, err := sqlstore.Open(context.Background(), os.Getenv(childEnv), sqlstore.Options{})
	if err != nil {
		fmt.Println("error", err)
		return
	}
	first, _ := strconv.Atoi(os.Getenv(childEnv + "_FROM"))
	for n := first; ; n++ {
		rows := make([]*countersign.Record, 40)
		for i := range rows {
			rows[i] = full(fmt.Sprintf("ver_%d_%d", n, i), epoch)
		}
		if err := d.Write(context.Background(), rows); err != nil {
			fmt.Println("error", err)
			return
		}
		if _, err := d.Approve(context.Background(), fmt.Sprintf("ver_%d", n), "prf", epoch); err != nil {
			fmt.Println("error", err)
			return
		}
		fmt.Println(n)
	}
}

// F-19: a process that is killed in the middle of its writes loses none that it acknowledged, no batch is there by
// half, and the file is sound.
func TestKilledWriter(t *testing.T) {
	const rounds = 3
	source := t.TempDir() + "/killed.db"
	next := 0
	for range rounds {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childEnv+"="+source, fmt.Sprintf("%s_FROM=%d", childEnv, next))
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		last := -1
		for acknowledged := 0; lines.Scan(); {
			n, err := strconv.Atoi(lines.Text())
			if err != nil {
				t.Fatalf("the writer says %q", lines.Text())
			}
			last = n
			if acknowledged++; acknowledged == 5 {
				_ = cmd.Process.Kill() // what it still says was acknowledged too
			}
		}
		_ = cmd.Wait()

		d, err := sqlstore.Open(t.Context(), source, sqlstore.Options{})
		if err != nil {
			t.Fatal(err)
		}
		list, err := d.List(t.Context(), countersign.ListQuery{App: "demo"})
		if err != nil {
			t.Fatal(err)
		}
		if len(list) < 40*(last+1) || len(list)%40 != 0 {
			t.Errorf("%d rows are there, want at least %d, in whole batches", len(list), 40*(last+1))
		}
		if ours, err := d.Approve(t.Context(), fmt.Sprintf("ver_%d", last), "another", epoch); err != nil || ours {
			t.Errorf("an acknowledged approval is gone: %t, %v", ours, err)
		}
		next = len(list) / 40
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
