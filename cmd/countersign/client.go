package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"countersign/client"
)

// This file is the two commands that speak to a running server: send and check.

const (
	defaultServer = "http://127.0.0.1:8080"
	sandboxApp    = "demo"
	sandboxKey    = "sk_sandbox_demo"
)

func (p *process) serverFlags(cmd *cobra.Command) {
	cmd.Flags().String("server", "", "address of the server (COUNTERSIGN_SERVER; default "+defaultServer+")")
	cmd.Flags().String("key", "", "secret key of the app (COUNTERSIGN_KEY; in the sandbox its own)")
	cmd.Flags().String("app", sandboxApp, "the app; a key names its app itself")
}

// server is the client of the server that the commands speak to.
func (p *process) server(cmd *cobra.Command) (*client.Client, error) {
	value := func(flag, variable string) string {
		if v, _ := cmd.Flags().GetString(flag); v != "" {
			return v
		}
		return p.getenv(variable)
	}
	address, key := value("server", "COUNTERSIGN_SERVER"), value("key", "COUNTERSIGN_KEY")
	if address == "" {
		address = defaultServer
	}
	if key == "" {
		app, _ := cmd.Flags().GetString("app")
		if app != sandboxApp || !strings.HasPrefix(address, "http://") {
			return nil, usageError{errors.New("a secret key is needed: --key, or COUNTERSIGN_KEY in the environment")}
		}
		key = sandboxKey
	}
	c, err := client.New(client.Config{URL: address, Key: key})
	if err != nil {
		return nil, usageError{fmt.Errorf("--server wants an address such as %s, and --key a secret key: %w", defaultServer, err)}
	}
	return c, nil
}

func (p *process) getenv(name string) string {
	for _, kv := range p.environ {
		if v, ok := strings.CutPrefix(kv, name+"="); ok {
			return v
		}
	}
	return ""
}

func (p *process) sendCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "send PHONE", Short: "Start a verification: send a code to a phone", Args: arguments(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := p.server(cmd)
			if err != nil {
				return err
			}
			channel, _ := cmd.Flags().GetString("channel")
			v, err := c.Start(cmd.Context(), &client.StartRequest{To: args[0], Channel: client.Channel(channel)})
			if err != nil {
				return told(err)
			}
			if wantsJSON(cmd) {
				return printRaw(p.out, v.Raw)
			}
			fmt.Fprintf(p.out, "Sent. The code lives %d s. Check it with:\n  countersign check %s CODE\n", v.ExpiresIn, v.ID)
			return nil
		},
	}
	cmd.Flags().String("channel", "sms", "sms, voice, flashcall, whatsapp, email or auto")
	p.serverFlags(cmd)
	return cmd
}

func (p *process) checkCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "check ID CODE", Short: "Check a code", Args: arguments(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := p.server(cmd)
			if err != nil {
				return err
			}
			v, err := c.Check(cmd.Context(), args[0], &client.CheckRequest{Code: args[1]})
			if err != nil {
				return told(err)
			}
			if wantsJSON(cmd) {
				return printRaw(p.out, v.Raw)
			}
			fmt.Fprintf(p.out, "Approved. The proof:\n%s\n", v.Proof)
			return nil
		},
	}
	p.serverFlags(cmd)
	return cmd
}

// told adds to an error what helps at a terminal.
func told(err error) error {
	if p := (*client.Problem)(nil); errors.As(err, &p) {
		if p.RetryAfter > 0 {
			return fmt.Errorf("%w (retry in %d s)", p, p.RetryAfter)
		}
		return p // its code and detail, and nothing around them
	}
	return fmt.Errorf("%w; is `countersign serve` running?", err)
}

func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

func printRaw(w io.Writer, text []byte) error {
	_, err := fmt.Fprintln(w, strings.TrimSpace(string(text)))
	return err
}

func readFileIfThere(path string) ([]byte, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return b, err
}
