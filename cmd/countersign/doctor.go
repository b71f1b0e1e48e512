package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"countersign"
	"countersign/config"
	"countersign/store/sqlstore"
)

// finding is what the doctor says of one part.
type finding struct {
	Part   string `json:"part"`
	State  string `json:"state"` // "ok", "warning" or "problem"
	Detail string `json:"detail"`
	Advice string `json:"advice,omitempty"`
}

const (
	stateOK      = "ok"
	stateWarning = "warning"
	stateProblem = "problem"
)

var errSick = errors.New("something does not work; see above")

func (p *process) doctorCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "doctor", Short: "Say of every configured part whether it works, and what to do if not", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d := &doctor{p: p, cmd: cmd}
			d.examine(cmd.Context())
			if wantsJSON(cmd) {
				if err := printJSON(p.out, d.findings); err != nil {
					return err
				}
			}
			for _, f := range d.findings {
				if f.State == stateProblem {
					return errSick
				}
			}
			return nil
		},
	}
	configFlags(cmd)
	return cmd
}

// doctor examines part after part and tells each finding at once: a part may take a while.
type doctor struct {
	p        *process
	cmd      *cobra.Command
	findings []finding
}

func (d *doctor) say(part, state, detail, advice string) {
	d.findings = append(d.findings, finding{part, state, detail, advice})
	if wantsJSON(d.cmd) {
		return
	}
	fmt.Fprintf(d.p.out, "%-8s %-22s %s\n", state, part, detail)
	if advice != "" {
		fmt.Fprintf(d.p.out, "%-8s %-22s → %s\n", "", "", advice)
	}
}

func (d *doctor) examine(ctx context.Context) {
	cfg, err := d.p.configure(d.cmd)
	if err != nil {
		d.say("configuration", stateProblem, err.Error(), "Correct the settings that are named; docs/configuration.md lists all.")
		return
	}
	if cfg.PublicURL == "" {
		cfg.PublicURL = "http://" + cfg.Listen // as the instance itself has it, once it listens
	}
	d.say("configuration", stateOK, "mode "+string(cfg.Mode), "")
	db, err := openDatabase(ctx, cfg, sqlstore.Options{})
	if err != nil {
		d.say("database", stateProblem, err.Error(), "Without the database nothing starts.")
		return
	}
	defer db.Close()
	d.say("database", stateOK, "opened; proofs are signed with "+counted(len(db.SigningKeys()), "key"), "")
	d.store(ctx, cfg, db)
	d.apps(ctx, cfg, db)
	d.providers(ctx, cfg)
	d.receipts(ctx, cfg, db)
	d.listen(ctx, cfg)
}

func (d *doctor) store(ctx context.Context, cfg *config.Config, db *sqlstore.DB) {
	name := "store (database file)"
	if cfg.RedisURL != "" {
		name = "store (redis)"
	}
	store, _, err := openStore(ctx, cfg, db, nil, nil, nil)
	if err == nil {
		err = awaitStore(ctx, store)
		err = errors.Join(err, store.Close())
	}
	if err != nil {
		d.say(name, stateProblem, err.Error(), "Until it answers, starts and checks are refused with 503.")
		return
	}
	d.say(name, stateOK, "answers", "")
	if cfg.RedisURL == "" && !cfg.IsSandbox() {
		d.say(name, stateWarning, "serves one process", "Set redis_url before you run a second one.")
	}
}

// counted is a number with its noun.
func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// awaitStore gives a store that connects in the background a moment.
func awaitStore(ctx context.Context, store countersign.Store) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := store.Ping(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-tick.C:
		}
	}
}

func (d *doctor) apps(ctx context.Context, cfg *config.Config, db *sqlstore.DB) {
	tenants, err := newTenants(cfg)
	if err != nil {
		d.say("apps", stateProblem, err.Error(), "Correct the settings that are named.")
		return
	}
	for _, id := range slices.Sorted(maps.Keys(tenants.byID)) {
		d.risk(ctx, id, cfg.Apps[id])
		keys, err := db.Keys(ctx, id)
		if err != nil {
			d.say("app "+id, stateProblem, err.Error(), "")
			continue
		}
		live := 0
		for _, k := range keys {
			if k.Revoked.IsZero() {
				live++
			}
		}
		policy := tenants.policies[id]
		switch {
		case live == 0 && !cfg.IsSandbox() && cfg.Apps[id].SinchKey == "":
			d.say("app "+id, stateWarning, "has no key", "Make one: countersign keys new --app "+id)
		case len(policy.Countries) == 0 && tenants.byID[id].Region == "":
			d.say("app "+id, stateWarning, "allows no country", "Set apps."+id+".countries or its region.")
		case cfg.IsSandbox() && id == sandboxApp:
			more := ""
			if live > 0 {
				more = fmt.Sprintf(", and %d more", live)
			}
			d.say("app "+id, stateOK, "the sandbox's own keys, which everybody knows"+more, "")
		default:
			d.say("app "+id, stateOK, counted(live, "key"), "")
		}
	}
}

// risk says whether an app's check of numbers can be reached. It is asked nothing: that may cost money.
func (d *doctor) risk(ctx context.Context, id string, app *config.App) {
	if app.Risk.URL == "" {
		return
	}
	if err := reach(ctx, app.Risk.URL); err != nil {
		d.say("risk check of "+id, stateProblem, err.Error(), "Check the address, the firewall and DNS. Until it answers, apps."+id+".risk.on_failure says what starts do.")
		return
	}
	d.say("risk check of "+id, stateOK, "can be reached", "")
}

func (d *doctor) providers(ctx context.Context, cfg *config.Config) {
	vendors, err := newVendors(cfg, nil)
	if err != nil {
		d.say("providers", stateProblem, err.Error(), "Correct the settings that are named.")
		return
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.Providers)) {
		p := cfg.Providers[name]
		address := vendorAddress(p)
		if address == "" {
			continue
		}
		if err := reach(ctx, address); err != nil {
			d.say("provider "+name, stateProblem, err.Error(), "Check the address, the firewall and DNS.")
			continue
		}
		d.say("provider "+name, stateOK, "can be reached", "")
	}
	for _, r := range vendors.routes {
		prober, ok := r.Provider.(interface {
			Probe(ctx context.Context) error
		})
		if !ok {
			continue
		}
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		err := prober.Probe(ctx)
		cancel()
		if err != nil {
			d.say("provider "+r.Name, stateProblem, err.Error(), "Compare the credentials with those that the vendor's dashboard shows.")
			continue
		}
		d.say("provider "+r.Name, stateOK, "takes the credentials", "")
	}
}

// reach opens a connection, with TLS where the address wants it, and sends nothing.
func reach(ctx context.Context, address string) error {
	u, err := url.Parse(address)
	if err != nil {
		return fmt.Errorf("the address cannot be read: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	host := u.Host
	if u.Port() == "" {
		host = net.JoinHostPort(u.Hostname(), map[string]string{"https": "443", "http": "80"}[u.Scheme])
	}
	var conn net.Conn
	if u.Scheme == "https" {
		conn, err = (&tls.Dialer{}).DialContext(ctx, "tcp", host)
	} else {
		conn, err = (&net.Dialer{}).DialContext(ctx, "tcp", host)
	}
	if err != nil {
		return fmt.Errorf("%s cannot be reached: %w", u.Hostname(), err)
	}
	return conn.Close()
}

func (d *doctor) listen(ctx context.Context, cfg *config.Config) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", cfg.Listen)
	if err != nil {
		d.say("listener", stateWarning, "somebody listens on "+cfg.Listen+" already", "Fine if that is your running instance; else choose another address.")
		return
	}
	l.Close()
	d.say("listener", stateOK, cfg.Listen+" is free", "")
}
