package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"countersign/guard"
)

func (p *process) policyCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "policy", Short: "Try the guard's policy", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	test := &cobra.Command{
		Use: "test CASES.yaml", Short: "Ask the policy about cases and compare its answers with what they expect", Args: arguments(1),
		RunE: func(cmd *cobra.Command, args []string) error { return p.policyTest(cmd, args[0]) },
	}
	test.Flags().String("policy", "", "policy file, instead of the configured one")
	configFlags(test)
	cmd.AddCommand(test)
	return cmd
}

// policyTest plays each case on a guard of its own, in memory and on a clock of its own: it needs no store.
func (p *process) policyTest(cmd *cobra.Command, path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	cases, err := guard.ParseCases(path, text)
	if err != nil {
		return err
	}
	cfg, regions, err := p.policyUnderTest(cmd)
	if err != nil {
		return err
	}
	failed := 0
	for i := range cases {
		c := &cases[i]
		if c.Region == "" {
			c.Region = regions[c.App]
		}
		difference, err := c.Run(cfg)
		if err != nil {
			return err
		}
		if difference != "" {
			failed++
			fmt.Fprintln(p.err, difference)
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d cases were answered differently", failed, len(cases))
	}
	if wantsJSON(cmd) {
		return printJSON(p.out, map[string]int{"cases": len(cases)})
	}
	fmt.Fprintf(p.out, "%d cases, all as expected\n", len(cases))
	return nil
}

// policyUnderTest is what serve would use, or the given file alone. Regions are the apps'.
func (p *process) policyUnderTest(cmd *cobra.Command) (guard.Config, map[string]string, error) {
	path, err := cmd.Flags().GetString("policy")
	if err != nil {
		return guard.Config{}, nil, err
	}
	if path == "" {
		cfg, err := p.configure(cmd)
		if err != nil {
			return guard.Config{}, nil, err
		}
		t, err := newTenants(cfg)
		if err != nil {
			return guard.Config{}, nil, err
		}
		regions := map[string]string{}
		for id, app := range t.byID {
			regions[id] = app.Region
		}
		return guard.Config{Apps: t.policies, Instance: t.shared}, regions, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return guard.Config{}, nil, err
	}
	file, err := guard.ParseFile(path, text)
	if err != nil {
		return guard.Config{}, nil, err
	}
	apps := map[string]guard.Policy{"demo": file.For("demo", guard.Policy{})}
	for _, id := range file.Apps() {
		apps[id] = file.For(id, guard.Policy{})
	}
	if _, err := guard.New(guard.Config{Apps: apps, Instance: file.Instance}); err != nil {
		return guard.Config{}, nil, errors.Join(errors.New("the policy"), file.Place(err))
	}
	return guard.Config{Apps: apps, Instance: file.Instance}, map[string]string{}, nil
}
