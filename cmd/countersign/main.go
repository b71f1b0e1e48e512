// Command countersign is a phone verification and two-factor gateway: it sends one-time codes, checks them, and hands
// out signed proofs. `countersign serve` without any configuration runs a sandbox on 127.0.0.1:8080.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"countersign/client"
)

// Exit codes.
const (
	exitDone   = 0
	exitFailed = 1 // refused or failed
	exitUsage  = 2
)

// startSettles is how long after the start its memory is given back: then nobody waits for it.
const startSettles = time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The second signal ends the process at once: the handler is taken away when the first has come.
	context.AfterFunc(ctx, stop)
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	p := process{
		args: os.Args[1:], environ: os.Environ(), out: os.Stdout, err: os.Stderr, terminal: isTerminal(os.Stderr), hangups: hangups,
		// What the start leaves behind is half of the heap, and the next collection may be hours away.
		ready: func(addresses) { time.AfterFunc(startSettles, debug.FreeOSMemory) },
	}
	code := p.run(ctx)
	stop()
	os.Exit(code)
}

// process is everything that a command may touch of the world, so that tests can give it another one.
type process struct {
	args     []string
	environ  []string
	out, err io.Writer
	terminal bool
	hangups  <-chan os.Signal // ask for the configuration to be read again

	ready func(addresses) // is told where it listens, once it does; may be nil
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// usageError is a wrong call of the program.
type usageError struct{ error }

func (p *process) run(ctx context.Context) int {
	root := p.command()
	root.SetArgs(p.args)
	root.SetOut(p.out)
	root.SetErr(p.err)
	cmd, err := root.ExecuteContextC(ctx)
	var usage usageError
	var refused *client.Problem
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &usage):
		fmt.Fprintf(p.err, "countersign: %v\nTry: %s --help\n", err, cmd.CommandPath())
		return exitUsage
	case errors.As(err, &refused) && wantsJSON(cmd) && refused.Raw != nil:
		if err := printRaw(p.out, refused.Raw); err != nil {
			fmt.Fprintf(p.err, "countersign: %v\n", err)
		}
	}
	fmt.Fprintf(p.err, "countersign: %v\n", err)
	return exitFailed
}

func (p *process) command() *cobra.Command {
	root := &cobra.Command{
		Use:           "countersign",
		Short:         "Phone verification and two-factor gateway",
		Long:          "Countersign sends one-time codes, checks them and hands out signed proofs.\n`countersign serve` without a configuration runs a sandbox on 127.0.0.1:8080.",
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetVersionTemplate("countersign {{.Version}}\n")
	root.PersistentFlags().Bool("json", false, "print JSON")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(p.serveCommand(), p.sendCommand(), p.checkCommand(), p.doctorCommand(), p.keysCommand(), p.unlockCommand(), p.policyCommand(), p.replayCommand(), p.simulateCommand(), p.versionCommand())
	wrongArguments(root)
	return root
}

// arguments takes as many arguments as the command's line names.
func arguments(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != n {
			return fmt.Errorf("there are %d arguments where %d are wanted: %s", len(args), n, cmd.UseLine())
		}
		return nil
	}
}

// wrongArguments makes wrong arguments and unknown commands a usage error for every command.
func wrongArguments(cmd *cobra.Command) {
	check := cmd.Args
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if check == nil {
			return nil
		}
		if err := check(cmd, args); err != nil {
			return usageError{err}
		}
		return nil
	}
	for _, sub := range cmd.Commands() {
		wrongArguments(sub)
	}
}

func (p *process) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if wantsJSON(cmd) {
				return printJSON(p.out, map[string]string{"version": version()})
			}
			fmt.Fprintln(p.out, "countersign", version())
			return nil
		},
	}
}

// version is the module's version, or the commit it was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v := info.Main.Version
	if v == "" || v == "(devel)" {
		v = "development"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && !strings.Contains(v, s.Value[:min(12, len(s.Value))]) {
			v += " " + s.Value[:min(12, len(s.Value))]
		}
	}
	return v
}

func wantsJSON(cmd *cobra.Command) bool {
	on, err := cmd.Flags().GetBool("json")
	return err == nil && on
}
