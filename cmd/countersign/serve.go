package main

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"countersign/config"
)

func (p *process) serveCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "serve", Short: "Run the gateway; without a configuration, the sandbox on 127.0.0.1:8080", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := p.configure(cmd)
			if err != nil {
				return err
			}
			if print, _ := cmd.Flags().GetBool("print-config"); print {
				return p.printConfig(cmd, cfg)
			}
			return p.serve(cmd.Context(), cfg, func() (*config.Config, error) { return p.configure(cmd) })
		},
	}
	configFlags(cmd)
	cmd.Flags().String("listen", "", "address to listen on, instead of the configured one")
	cmd.Flags().Bool("print-config", false, "print the configuration that results, with secrets masked, and exit")
	cmd.Flags().Bool("dangerously-expose-sandbox", false, "let the sandbox, whose keys are public, listen beyond loopback")
	return cmd
}

func (p *process) printConfig(cmd *cobra.Command, cfg *config.Config) error {
	if wantsJSON(cmd) {
		return printJSON(p.out, cfg.Resolved())
	}
	w := tabwriter.NewWriter(p.out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "mode\t%s\t\n", cfg.Mode)
	for _, r := range cfg.Resolved() {
		if r.Path != "mode" {
			fmt.Fprintf(w, "%s\t%s\t# %s\n", r.Path, r.Text, r.Source)
		}
	}
	return w.Flush()
}

// gcPercent lets the heap grow further between collections than Go's default. What lives is small (about 15 MiB), so
// this costs some tens of MiB under load and saves a tenth of a request's CPU. GOGC in the environment beats it.
const gcPercent = 400

func (p *process) serve(ctx context.Context, cfg *config.Config, again func() (*config.Config, error)) error {
	if p.getenv("GOGC") == "" {
		defer debug.SetGCPercent(debug.SetGCPercent(gcPercent))
	}
	log := p.logger(cfg)
	i, err := assemble(ctx, cfg, log)
	if err != nil {
		return err
	}
	log.Info("listening", "api", i.at.API, "operations", i.at.Operations, "mode", string(cfg.Mode), "version", version())
	if cfg.IsSandbox() {
		p.welcome(i)
	}
	if p.ready != nil {
		p.ready(i.at)
	}
	err = i.run(ctx, p.reloads(ctx, log, again))
	log.Info("stopped")
	return err
}

// reloads reads the configuration anew at every SIGHUP. A wrong one is only logged: the old one goes on.
func (p *process) reloads(ctx context.Context, log *slog.Logger, again func() (*config.Config, error)) <-chan *config.Config {
	read := make(chan *config.Config)
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-p.hangups:
			}
			cfg, err := again()
			if err != nil {
				log.Error("the new configuration was not taken, the old one goes on", "error", err)
				continue
			}
			select {
			case read <- cfg:
			case <-ctx.Done():
				return
			}
		}
	}()
	return read
}

// welcome tells a newcomer where to go.
func (p *process) welcome(i *instance) {
	fmt.Fprintf(p.out, `
Countersign sandbox. Nothing leaves this machine; the keys are public.

  page    %[1]s/verify
  inbox   %[1]s/dev/inbox
  docs    %[1]s/docs

  curl -s %[1]s/v1/verifications -H 'Authorization: Bearer %[2]s' -H 'Content-Type: application/json' -d '{"to":"+14155550123"}'

`, i.cfg.PublicURL, sandboxKey)
}
