package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"countersign"
	"countersign/guard"
	"countersign/simulate"
)

// This file is `countersign simulate`: labelled traffic, on simulated time, against a policy.

// trial is what the flags ask for.
type trial struct {
	scenarios []simulate.Scenario
	policies  []policy
	seed      uint64
	seeds     int
}

// policy makes the guards of one policy that is tried.
type policy struct {
	name string
	make func(app *countersign.App) (countersign.Guard, error)
}

func (p *process) simulateCommand() *cobra.Command {
	var names []string
	var file, report string
	var compare bool
	t := trial{}
	cmd := &cobra.Command{
		Use:   "simulate",
		Short: "Play labelled traffic against a guard policy, on simulated time",
		Long: "Plays honest people and attackers against a policy and says what each attack cost and how many honest people were refused.\n" +
			"The same seed gives the same run. Scenarios: " + strings.Join(scenarioNames(), ", ") + ".",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if t.scenarios, err = pickScenarios(names); err != nil {
				return usageError{err}
			}
			if t.seeds < 1 {
				return usageError{fmt.Errorf("--seeds is %d; at least one run is needed", t.seeds)}
			}
			judge, err := policyFrom(file)
			if err != nil {
				return err
			}
			t.policies = []policy{judge}
			if compare {
				t.policies = append(t.policies, rivals()...)
			}
			results, err := t.run(cmd, p.progress())
			if err != nil {
				return err
			}
			return printResults(cmd, results, report)
		},
	}
	cmd.Flags().StringSliceVar(&names, "scenario", nil, "play only these (default all)")
	cmd.Flags().StringVar(&file, "policy", "", "a policy file; without one the default policy")
	cmd.Flags().Uint64Var(&t.seed, "seed", 1, "of the first run")
	cmd.Flags().IntVar(&t.seeds, "seeds", 1, "how many runs of each scenario, with the seeds that follow")
	cmd.Flags().BoolVar(&compare, "compare", false, "play the same against limits by address alone, and against conversion alarms alone")
	cmd.Flags().StringVar(&report, "html", "", "write a report with charts to this file")
	return cmd
}

func scenarioNames() []string {
	var names []string
	for _, s := range simulate.Scenarios() {
		names = append(names, s.Name)
	}
	return names
}

func pickScenarios(names []string) ([]simulate.Scenario, error) {
	all := simulate.Scenarios()
	if len(names) == 0 {
		return all, nil
	}
	var picked []simulate.Scenario
	for _, name := range names {
		i := slices.IndexFunc(all, func(s simulate.Scenario) bool { return s.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no scenario %q; there are %s", name, strings.Join(scenarioNames(), ", "))
		}
		picked = append(picked, all[i])
	}
	return picked, nil
}

// rivals are what others do, as policies.
func rivals() []policy {
	return []policy{
		{"by address", func(*countersign.App) (countersign.Guard, error) { return simulate.Limited{PerMinute: 5}, nil }},
		{"by conversion", func(*countersign.App) (countersign.Guard, error) { return simulate.NewAlarmed(), nil }},
	}
}

// play is one run of a scenario.
type play struct {
	judge    policy
	scenario simulate.Scenario
	seed     uint64
}

// run plays everything, as many runs at once as there are processors. Each has its own world, so the table comes out the
// same on every machine.
func (t *trial) run(cmd *cobra.Command, progress func(string)) ([]*simulate.Result, error) {
	var plays []play
	for _, judge := range t.policies {
		for _, s := range t.scenarios {
			for n := range t.seeds {
				plays = append(plays, play{judge, s, t.seed + uint64(n)})
			}
		}
	}
	debug.SetGCPercent(simulateGC)
	results, errs := make([]*simulate.Result, len(plays)), make([]error, len(plays))
	told := telling{progress: progress, total: len(plays)}
	next := make(chan int)
	var work sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(plays)) {
		work.Go(func() {
			for n := range next {
				results[n], errs[n] = plays[n].run(cmd.Context(), &told)
			}
		})
	}
	for n := range plays {
		next <- n
	}
	close(next)
	work.Wait()
	progress("")
	if err := cmd.Context().Err(); err != nil {
		return nil, fmt.Errorf("simulating: %w", err)
	}
	return results, errors.Join(errs...)
}

func (p *play) run(ctx context.Context, told *telling) (*simulate.Result, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	defer told.done()
	return simulate.Run(p.scenario, simulate.Options{
		Guard: p.judge.make, Policy: p.judge.name, Seed: p.seed,
		Tell: func(name string, done float64) bool {
			told.say(fmt.Sprintf("%s, seed %d: %.0f %%", name, p.seed, 100*done))
			return ctx.Err() == nil
		},
	})
}

// simulateGC lets garbage grow to five times of what lives: a run makes much of it and keeps little, and ends soon.
const simulateGC = 400

// telling says how far all runs have come.
type telling struct {
	mu       sync.Mutex
	progress func(string)
	finished int
	total    int
}

func (t *telling) say(what string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.progress(fmt.Sprintf("%d of %d done; %s", t.finished, t.total, what))
}

func (t *telling) done() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.finished++
}

// progress writes over its own line on a terminal and is silent elsewhere.
func (p *process) progress() func(string) {
	if !p.terminal {
		return func(string) {}
	}
	return func(text string) { fmt.Fprintf(p.err, "\r\x1b[K%s", text) }
}

func printResults(cmd *cobra.Command, results []*simulate.Result, report string) error {
	if report != "" {
		if err := writeReport(report, results); err != nil {
			return err
		}
	}
	if asJSON, _ := cmd.Flags().GetBool("json"); asJSON {
		e := json.NewEncoder(cmd.OutOrStdout())
		return e.Encode(map[string]any{"scenarios": results})
	}
	return simulate.Table(cmd.OutOrStdout(), results)
}

func writeReport(path string, results []*simulate.Result) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	defer func() {
		if closing := f.Close(); err == nil {
			err = closing
		}
	}()
	return simulate.Report(io.Writer(f), results)
}

// policyFrom is the policy of a file, or the default one. Both serve every country that their file does not exclude: what
// is compared is the budgets and signals.
func policyFrom(path string) (policy, error) {
	cfg := guard.Config{Apps: map[string]guard.Policy{"demo": {Countries: []string{"*"}}}}
	name := ""
	if path != "" {
		text, err := os.ReadFile(path)
		if err != nil {
			return policy{}, fmt.Errorf("reading the policy: %w", err)
		}
		file, err := guard.ParseFile(path, text)
		if err != nil {
			return policy{}, err
		}
		name = filepath.Base(path)
		cfg.Apps["demo"], cfg.Instance = file.For("demo", cfg.Apps["demo"]), file.Instance
	}
	return policy{name, func(*countersign.App) (countersign.Guard, error) { return guard.New(cfg) }}, nil
}
