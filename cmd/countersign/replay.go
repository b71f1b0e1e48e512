package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"countersign/guard"
)

// This file is `countersign replay`: a decision log, played against another policy.

const longestLine = 64 << 10

func (p *process) replayCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use: "replay LOG --policy FILE", Short: "Play recorded decisions against another policy", Args: arguments(1),
		Long: "Plays a decision log (guard.decisions) against a policy and says what would have been sent, what that saves, and which of the people\n" +
			"who confirmed would have been refused. Lines that cannot be played are reported and left out.",
		RunE: func(cmd *cobra.Command, args []string) error {
			if file == "" {
				return usageError{errors.New("--policy is missing: the policy file to try")}
			}
			return p.replay(cmd, args[0], file)
		},
	}
	cmd.Flags().StringVar(&file, "policy", "", "the policy file to try")
	return cmd
}

func (p *process) replay(cmd *cobra.Command, log, policy string) error {
	text, err := os.ReadFile(policy)
	if err != nil {
		return fmt.Errorf("reading the policy: %w", err)
	}
	parsed, err := guard.ParseFile(policy, text)
	if err != nil {
		return err
	}
	cfg := guard.Config{Apps: map[string]guard.Policy{}, Instance: parsed.Instance}
	if cfg.Money, err = readMoney(parsed.Money, policy); err != nil {
		return err
	}
	// The first reading finds the apps, and what cannot be read.
	l := decisionLog{path: log, progress: p.progress(), bad: badLines{out: p.err, path: log}, stop: func() error { return cmd.Context().Err() }}
	err = l.each("reading", func(d *guard.Decision) error {
		if _, ok := cfg.Apps[d.App]; !ok {
			cfg.Apps[d.App] = parsed.For(d.App, guard.Policy{})
		}
		return nil
	})
	if err != nil {
		return err
	}
	if len(cfg.Apps) == 0 {
		return fmt.Errorf("%s: there is no decision in it", log)
	}
	r, err := guard.NewReplay(cfg)
	if err != nil {
		return errors.Join(errors.New("the policy"), parsed.Place(err))
	}
	if err := l.each("playing", r.Play); err != nil {
		return err
	}
	l.bad.summary()
	if wantsJSON(cmd) {
		return printJSON(p.out, replayJSON(filepath.Base(policy), &l, &r.Result))
	}
	return replayTable(p.out, &r.Result)
}

// decisionLog is a file of decisions. Both readings tell of a line once.
type decisionLog struct {
	path     string
	progress func(string)
	bad      badLines
	stop     func() error
	lines    int
}

// each reads the decisions, one after the other. What a step refuses is a bad line too.
func (l *decisionLog) each(what string, step func(*guard.Decision) error) error {
	f, err := os.Open(l.path)
	if err != nil {
		return err
	}
	defer f.Close()
	size := int64(1)
	if info, err := f.Stat(); err == nil {
		size = max(1, info.Size())
	}
	in := bufio.NewReaderSize(f, longestLine)
	read := int64(0)
	for l.lines = 0; ; {
		line, err := in.ReadSlice('\n')
		read += int64(len(line))
		if errors.Is(err, io.EOF) && len(line) == 0 {
			break
		}
		l.lines++
		if l.lines%10_000 == 0 {
			l.progress(fmt.Sprintf("%s: %d lines, %d %%", what, l.lines, 100*read/size))
			if err := l.stop(); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			l.bad.add(l.lines, fmt.Errorf("longer than %d bytes", longestLine))
			for errors.Is(err, bufio.ErrBufferFull) {
				line, err = in.ReadSlice('\n')
				read += int64(len(line))
			}
		case err != nil && !errors.Is(err, io.EOF):
			return fmt.Errorf("%s: %w", l.path, err)
		case len(bytes.TrimSpace(line)) == 0:
		default:
			d, bad := guard.ParseDecision(line)
			if bad == nil {
				bad = step(d)
			}
			if bad != nil {
				l.bad.add(l.lines, bad)
			}
		}
	}
	l.progress("")
	return nil
}

// badLines reports the first lines that cannot be played, and counts all.
type badLines struct {
	out  io.Writer
	path string
	seen map[int]bool
}

const reportedLines = 20

func (b *badLines) add(line int, err error) {
	if b.seen[line] {
		return
	}
	if b.seen == nil {
		b.seen = map[int]bool{}
	}
	b.seen[line] = true
	if len(b.seen) <= reportedLines {
		fmt.Fprintf(b.out, "%s:%d: %v; this line is left out\n", b.path, line, err)
	}
}

func (b *badLines) summary() {
	if n := len(b.seen); n > reportedLines {
		fmt.Fprintf(b.out, "%s: %d lines in all were left out\n", b.path, n)
	}
}

type replayTally struct {
	Attempts   int    `json:"attempts"`
	Sent       int    `json:"sent"`
	Challenged int    `json:"challenged"`
	Refused    int    `json:"refused"`
	Money      string `json:"money"`
}

func tallyJSON(t *guard.Tally) replayTally {
	return replayTally{t.Attempts, t.Sent, t.Challenged, t.Refused, t.Money.String()}
}

func replayJSON(policy string, l *decisionLog, r *guard.ReplayResult) any {
	type people struct {
		Confirmed  int `json:"confirmed"`
		Refused    int `json:"refused"`
		Challenged int `json:"challenged"`
	}
	return struct {
		Policy   string         `json:"policy"`
		From     time.Time      `json:"from"`
		To       time.Time      `json:"to"`
		Lines    int            `json:"lines"`
		LeftOut  int            `json:"left_out"`
		Recorded replayTally    `json:"recorded"`
		Replayed replayTally    `json:"replayed"`
		Saved    string         `json:"saved"`
		Stopped  int            `json:"stopped"`
		Added    int            `json:"added"`
		People   people         `json:"people"`
		Rules    map[string]int `json:"rules"`
	}{
		policy, r.From, r.To, l.lines, len(l.bad.seen), tallyJSON(&r.Recorded), tallyJSON(&r.Replayed), (r.Recorded.Money - r.Replayed.Money).String(),
		r.Stopped, r.Added,
		people{r.Confirmed, r.TurnedAway, r.AskedForWork},
		r.Rules,
	}
}

func replayTable(out io.Writer, r *guard.ReplayResult) error {
	fmt.Fprintf(out, "%s to %s\n\n", r.From.Format(time.RFC3339), r.To.Format(time.RFC3339))
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\tstarts and resends\tsent\tchallenged\trefused\tmoney\t")
	for _, row := range []struct {
		name string
		of   *guard.Tally
	}{{"recorded", &r.Recorded}, {"with this policy", &r.Replayed}} {
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%d\t%s\t\n", row.name, row.of.Attempts, row.of.Sent, row.of.Challenged, row.of.Refused, row.of.Money)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(out, "\nsaved: %s (%d messages would not have gone out, %d others would)\n", r.Recorded.Money-r.Replayed.Money, r.Stopped, r.Added)
	fmt.Fprintf(out, "people who confirmed: %d; refused with this policy: %d; asked for a challenge: %d\n", r.Confirmed, r.TurnedAway, r.AskedForWork)
	for _, rule := range slices.Sorted(maps.Keys(r.Rules)) {
		fmt.Fprintf(out, "  %s: %d\n", rule, r.Rules[rule])
	}
	return nil
}
