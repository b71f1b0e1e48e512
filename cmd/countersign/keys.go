package main

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"countersign"
	"countersign/config"
	"countersign/phone"
	"countersign/signing"
	"countersign/store/sqlstore"
)

// This file is the commands that work on the database and the store without a server.

func (p *process) keysCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "keys", Short: "Make, list and revoke API keys; rotate the instance's own keys",
		Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	newKey := &cobra.Command{
		Use: "new", Short: "Make an API key; it is shown once", Args: cobra.NoArgs,
		RunE: p.withDatabase(p.newKey),
	}
	newKey.Flags().String("app", "", "the app it belongs to (required)")
	newKey.Flags().String("name", "", "what it is for, for the list")
	newKey.Flags().Bool("publishable", false, "a publishable key (pk_) for browsers and phones; by default a secret one (sk_)")
	list := &cobra.Command{
		Use: "list", Short: "List API keys", Args: cobra.NoArgs,
		RunE: p.withDatabase(p.listKeys),
	}
	list.Flags().String("app", "", "only this app's")
	revoke := &cobra.Command{
		Use: "revoke ID", Short: "Revoke an API key; dead on every node within a second", Args: arguments(1),
		RunE: p.withDatabase(func(ctx context.Context, cmd *cobra.Command, _ *config.Config, db *sqlstore.DB) error {
			if err := db.RevokeKey(ctx, cmd.Flags().Arg(0)); err != nil {
				return err
			}
			if wantsJSON(cmd) {
				return printJSON(p.out, map[string]any{"id": cmd.Flags().Arg(0), "revoked": true})
			}
			fmt.Fprintln(p.out, "Revoked.")
			return nil
		}),
	}
	rotate := &cobra.Command{
		Use: "rotate signing|code|tag|seal|phone", Short: "Make a new key of the instance's own; the old ones stay as long as anything made with them",
		Args: arguments(1), ValidArgs: []string{"signing", "code", "tag", "seal", "phone"},
		RunE: p.withDatabase(p.rotate),
	}
	for _, sub := range []*cobra.Command{newKey, list, revoke, rotate} {
		configFlags(sub)
		cmd.AddCommand(sub)
	}
	return cmd
}

type databaseCommand func(ctx context.Context, cmd *cobra.Command, cfg *config.Config, db *sqlstore.DB) error

// withDatabase opens the configured database for a command.
func (p *process) withDatabase(run databaseCommand) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, _ []string) error {
		cfg, err := p.configure(cmd)
		if err != nil {
			return err
		}
		db, err := openDatabase(cmd.Context(), cfg, sqlstore.Options{})
		if err != nil {
			return err
		}
		return errors.Join(run(cmd.Context(), cmd, cfg, db), db.Close())
	}
}

func (p *process) newKey(ctx context.Context, cmd *cobra.Command, cfg *config.Config, db *sqlstore.DB) error {
	app, _ := cmd.Flags().GetString("app")
	if _, ok := cfg.Apps[app]; !ok && !(cfg.IsSandbox() && app == sandboxApp) {
		return usageError{fmt.Errorf("--app wants one of the configuration's apps; there is none called %q", app)}
	}
	kind := sqlstore.KeySecret
	if publishable, _ := cmd.Flags().GetBool("publishable"); publishable {
		kind = sqlstore.KeyPublishable
	}
	name, _ := cmd.Flags().GetString("name")
	info, text, err := db.NewKey(ctx, app, kind, name)
	if err != nil {
		return err
	}
	if wantsJSON(cmd) {
		return printJSON(p.out, map[string]string{"id": info.ID, "app": info.App, "kind": string(info.Kind), "name": info.Name, "key": text})
	}
	fmt.Fprintf(p.out, "%s\n\nKeep it now: it is not shown again. Revoke it with: countersign keys revoke %s\n", text, info.ID)
	return nil
}

func (p *process) listKeys(ctx context.Context, cmd *cobra.Command, _ *config.Config, db *sqlstore.DB) error {
	app, _ := cmd.Flags().GetString("app")
	keys, err := db.Keys(ctx, app)
	if err != nil {
		return err
	}
	type row struct {
		ID      string     `json:"id"`
		App     string     `json:"app"`
		Kind    string     `json:"kind"`
		Name    string     `json:"name"`
		Display string     `json:"display"`
		Created time.Time  `json:"created_at"`
		Revoked *time.Time `json:"revoked_at"`
	}
	rows := make([]row, 0, len(keys))
	for _, k := range keys {
		r := row{ID: k.ID, App: k.App, Kind: string(k.Kind), Name: k.Name, Display: k.Display, Created: k.Created.UTC()}
		if !k.Revoked.IsZero() {
			at := k.Revoked.UTC()
			r.Revoked = &at
		}
		rows = append(rows, r)
	}
	if wantsJSON(cmd) {
		return printJSON(p.out, rows)
	}
	w := tabwriter.NewWriter(p.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tAPP\tKEY\tNAME\tCREATED\tREVOKED")
	for _, r := range rows {
		revoked := "-"
		if r.Revoked != nil {
			revoked = r.Revoked.Format(time.RFC3339)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", r.ID, r.App, r.Display, r.Name, r.Created.Format(time.RFC3339), revoked)
	}
	return w.Flush()
}

func (p *process) rotate(ctx context.Context, cmd *cobra.Command, cfg *config.Config, db *sqlstore.DB) error {
	what := cmd.Flags().Arg(0)
	var at time.Time
	switch use := countersign.KeyUse(what); use {
	case countersign.KeyCode, countersign.KeyTag, countersign.KeySeal, countersign.KeyPhone:
		now, err := clockNow(ctx, cfg, db)
		if err != nil && use == countersign.KeyPhone {
			return err // days of counts hang on it; the others come into use within seconds, by any clock
		}
		k, err := db.RotateRing(ctx, use, now)
		if err != nil {
			return err
		}
		at = k.Activates
	case "signing":
		k, err := signing.NewKey(time.Time{})
		if err != nil {
			return err
		}
		stored, err := storedSigningKey(k)
		if err != nil {
			return err
		}
		if at, err = db.RotateSigning(ctx, stored); err != nil {
			return err
		}
	default:
		return usageError{fmt.Errorf("there is no key called %q: signing, code, tag, seal or phone can be rotated", what)}
	}
	if wantsJSON(cmd) {
		return printJSON(p.out, map[string]any{"key": what, "activates_at": at.UTC()})
	}
	if what == string(countersign.KeyPhone) {
		fmt.Fprintf(p.out, "A new phone key is in use from %s on. From now until %s everything about a phone is counted under both keys.\n",
			at.UTC().Format(time.RFC3339), countersign.PhoneRotated(at).UTC().Format(time.RFC3339))
		return nil
	}
	fmt.Fprintf(p.out, "A new %s key is in use from %s on. The old one stays as long as it is needed.\n", what, at.UTC().Format(time.RFC3339))
	return nil
}

// clockNow is the time by the clock that every node goes by: the store's.
func clockNow(ctx context.Context, cfg *config.Config, db *sqlstore.DB) (time.Time, error) {
	store, _, err := openStore(ctx, cfg, db, nil, nil, nil)
	if err != nil {
		return time.Now(), err
	}
	if err := store.Ping(ctx); err != nil {
		return time.Now(), errors.Join(err, store.Close())
	}
	return store.Now(), store.Close()
}

func (p *process) unlockCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "unlock PHONE", Short: "Lift the lock-out of a phone that used up its guesses", Args: arguments(1),
		RunE: p.withDatabase(func(ctx context.Context, cmd *cobra.Command, cfg *config.Config, db *sqlstore.DB) error {
			number, err := phone.Parse(cmd.Flags().Arg(0), "")
			if err != nil {
				return usageError{fmt.Errorf("PHONE wants a number with its country code: %w", err)}
			}
			store, _, err := openStore(ctx, cfg, db, nil, nil, nil)
			if err != nil {
				return err
			}
			lifted, err := countersign.Unlock(ctx, store, db.Ring(), countersign.PhoneAddress(number))
			if err = errors.Join(err, store.Close()); err != nil {
				return err
			}
			if wantsJSON(cmd) {
				return printJSON(p.out, map[string]bool{"lifted": lifted})
			}
			if lifted {
				fmt.Fprintln(p.out, "Lifted.")
			} else {
				fmt.Fprintln(p.out, "This phone was not locked.")
			}
			return nil
		}),
	}
	configFlags(cmd)
	return cmd
}
