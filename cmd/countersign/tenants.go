package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"countersign"
	"countersign/config"
	"countersign/guard"
	"countersign/httpapi"
	"countersign/phone"
	"countersign/provider/sandbox"
	"countersign/store/sqlstore"
	"countersign/web"
)

// This file makes the apps that the configuration names, and in the sandbox the app demo.

// Credentials of the sandbox. Everybody knows them, and every other mode refuses them.
const (
	sandboxPublishableKey = "pk_sandbox_demo"
)

// tenants is every app, as each part wants to see it.
type tenants struct {
	byID     map[string]*countersign.App
	policies map[string]guard.Policy
	shared   guard.Instance
	file     *guard.File  // nil without a policy file
	money    *guard.Money // nil without caps
	faces    []httpapi.App
	warnings []string // of texts that had to leave something out
	sandbox  bool
}

func (t *tenants) find(id string) (*countersign.App, bool) {
	a, ok := t.byID[id]
	return a, ok
}

// newTenants reports every mistake of every app at once.
func newTenants(cfg *config.Config) (*tenants, error) {
	if cfg.IsSandbox() {
		addDemo(cfg)
	}
	t := &tenants{byID: map[string]*countersign.App{}, policies: map[string]guard.Policy{}, sandbox: cfg.IsSandbox()}
	var mistakes []error
	if err := t.readPolicy(cfg); err != nil {
		mistakes = append(mistakes, err)
	}
	if t.sandbox {
		sandboxInstance(&t.shared)
	}
	for _, id := range slices.Sorted(maps.Keys(cfg.Apps)) {
		err := t.add(id, cfg.Apps[id])
		if app := t.byID[id]; err == nil {
			app.Passkeys, err = passkeyParty(cfg, app.Name, cfg.Apps[id])
		}
		if err != nil {
			mistakes = append(mistakes, aboutApp(cfg, id, err))
		}
	}
	return t, errors.Join(mistakes...)
}

// aboutApp puts an app's path in front of each mistake in it, with the place: that of the setting, where the mistake
// begins with its name, else that of the app's first setting.
func aboutApp(cfg *config.Config, id string, err error) error {
	app := "apps." + id
	return eachMistake(err, func(err error) error {
		name, _, _ := strings.Cut(err.Error(), ": ")
		if place := cfg.Place(app + "." + name); place != "" {
			return fmt.Errorf("%s%s.%w", place, app, err)
		}
		return fmt.Errorf("%s%s: %w", cfg.Place(app), app, err)
	})
}

func (t *tenants) add(id string, a *config.App) error {
	app := &countersign.App{ID: id, Name: a.Name, Region: a.Region, Policy: policyOf(a), Sessions: sessionPolicy(a)}
	if app.Name == "" {
		app.Name = id
	}
	texts, textsErr := textsOf(app.Name, a)
	if textsErr == nil {
		app.Texts = texts
		for _, w := range texts.Warnings() {
			t.warnings = append(t.warnings, "apps."+id+": "+w)
		}
	}
	tests, err := testNumbersOf(a)
	if err != nil {
		return err
	}
	app.TestNumbers = tests
	if app.Risk, err = riskOf(a.Risk); err != nil {
		return err
	}
	types := make([]phone.LineType, 0, len(a.LineTypes))
	for _, name := range a.LineTypes {
		kind, ok := phone.ParseLineType(name)
		if !ok {
			return fmt.Errorf("line_types: there is no %q", name)
		}
		types = append(types, kind)
	}
	t.byID[id] = app
	policy := guard.Policy{Countries: a.Countries, Types: types, ClientStarts: a.ClientStarts, ClientChecks: a.ClientChecks}
	if t.file != nil {
		policy = t.file.For(id, policy)
	}
	if t.sandbox {
		sandboxPolicy(&policy)
	}
	t.policies[id] = policy
	t.faces = append(t.faces, httpapi.App{
		App: app, Origins: a.Origins, Native: a.Native, ReturnURLs: a.ReturnURLs, HostedPage: a.HostedPage,
		Countries: pageCountries(a),
	})
	return errors.Join(textsErr, app.Policy.Validate())
}

// testNumbersOf are the numbers with a fixed code.
func testNumbersOf(a *config.App) (map[string]countersign.TestNumber, error) {
	if len(a.TestNumbers) == 0 {
		return nil, nil
	}
	list := make(map[string]countersign.TestNumber, len(a.TestNumbers))
	for _, number := range slices.Sorted(maps.Keys(a.TestNumbers)) {
		t := a.TestNumbers[number]
		code, err := countersign.ParseTestCode(t.Code)
		if err != nil {
			return nil, fmt.Errorf("test_numbers.%s.code: %w", number, err)
		}
		list[number] = countersign.TestNumber{Code: code, Until: t.Expires}
	}
	return list, nil
}

// readPolicy reads the policy file, if there is one.
func (t *tenants) readPolicy(cfg *config.Config) error {
	if cfg.Guard.Policy == "" {
		return nil
	}
	text, err := os.ReadFile(cfg.Guard.Policy)
	if err != nil {
		return fmt.Errorf("%sguard.policy: %w", cfg.Place("guard.policy"), err)
	}
	if t.file, err = guard.ParseFile(cfg.Guard.Policy, text); err != nil {
		return err
	}
	t.shared = t.file.Instance
	if t.money, err = readMoney(t.file.Money, cfg.Guard.Policy); err != nil {
		return err
	}
	for _, id := range t.file.Apps() {
		if cfg.Apps[id] == nil {
			err = errors.Join(err, fmt.Errorf("%s: apps.%s: there is no such app", cfg.Guard.Policy, id))
		}
	}
	return err
}

// readMoney reads the prices that the caps need. A relative path is beside the policy file.
func readMoney(m *guard.Money, policy string) (*guard.Money, error) {
	if m == nil {
		return nil, nil
	}
	if m.PriceFile == "" {
		m.Prices = guard.DefaultPrices()
		return m, nil
	}
	path := m.PriceFile
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(policy), path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%s: money.prices: %w", policy, err)
	}
	m.Prices, err = guard.ParsePrices(path, text)
	return m, err
}

// sandboxPolicy suits numbers that somebody makes up: they come in sequence and from few ranges, and many are never
// confirmed. So what watches for that only records, and a range of any size has a budget that is wider at once and no
// wider in a day than a country's.
func sandboxPolicy(p *guard.Policy) {
	p.Shadow = append(p.Shadow, guard.RuleSequence, guard.RulePrefixBlock, guard.RuleNetworkBlock, guard.RuleFormTime)
	p.Budgets = withBudgets(p.Budgets, sandboxNumbers, "budget_thousand", "budget_prefix6", "budget_prefix4", "budget_app_country")
}

// sandboxInstance is the same for what all apps share.
func sandboxInstance(i *guard.Instance) {
	i.Budgets = withBudgets(i.Budgets, sandboxNumbers, "budget_country")
	i.Budgets = withBudgets(i.Budgets, sandboxNetwork, "budget_client", "budget_network")
}

var (
	sandboxNumbers = countersign.Budget{Capacity: 500, Refill: 4}
	sandboxNetwork = countersign.Budget{Capacity: 3000, Refill: 60}
)

func withBudgets(have map[string]countersign.Budget, b countersign.Budget, names ...string) map[string]countersign.Budget {
	if have == nil {
		have = map[string]countersign.Budget{}
	}
	for _, name := range names {
		if _, set := have[name]; !set {
			have[name] = b
		}
	}
	return have
}

// pageCountries are those that the hosted page offers; nil for all.
func pageCountries(a *config.App) []string {
	if len(a.Countries) == 0 && a.Region != "" {
		return []string{a.Region}
	}
	if slices.Contains(a.Countries, "*") {
		return nil
	}
	return a.Countries
}

func policyOf(a *config.App) countersign.Policy {
	alphabets := map[string]countersign.Alphabet{"letters": countersign.Letters, "alphanumeric": countersign.Alphanumeric}
	return countersign.Policy{
		CodeLength: a.CodeLength, Alphabet: alphabets[a.Alphabet], Lifetime: a.Lifetime, MaxSends: a.MaxSends,
		NewCodes: a.Resend == "new_code", SQLApprove: a.Approvals == "sql",
	}.WithDefaults()
}

// addDemo adds the sandbox's app, or fills what a file leaves out of it.
func addDemo(cfg *config.Config) {
	if cfg.Apps == nil {
		cfg.Apps = map[string]*config.App{}
	}
	demo := cfg.Apps[sandboxApp]
	if demo == nil {
		demo = &config.App{}
		cfg.Apps[sandboxApp] = demo
	}
	if demo.Name == "" {
		demo.Name = "Demo"
	}
	if demo.Region == "" {
		demo.Region = "US"
	}
	if demo.Countries == nil {
		demo.Countries = []string{"*"}
	}
	if demo.Origins == nil {
		p := port(strings.TrimPrefix(cfg.PublicURL, "http://"))
		demo.Origins = []string{"http://127.0.0.1:" + p, "http://localhost:" + p, "http://localhost:3000", "http://127.0.0.1:3000"}
	}
	if demo.ReturnURLs == nil {
		demo.ReturnURLs = []string{"http://localhost:3000/verified", "http://127.0.0.1:3000/verified"}
	}
	if demo.SinchKey == "" {
		demo.SinchKey, demo.SinchSecret = config.SandboxSinchKey, config.SandboxSinchSecret
	}
	if demo.Twilio == (config.TwilioFace{}) {
		demo.Twilio = config.SandboxTwilio
	}
	demo.HostedPage = true
}

// keyFinder finds API keys: the sandbox's two, and those in the database.
type keyFinder struct {
	db      *sqlstore.DB
	sandbox bool
}

// FindKey implements httpapi.Keys.
func (k keyFinder) FindKey(text string) (httpapi.Key, bool) {
	if k.sandbox {
		switch text {
		case sandboxKey:
			return httpapi.Key{ID: "key_sandbox_secret", App: sandboxApp, Secret: true}, true
		case sandboxPublishableKey:
			return httpapi.Key{ID: "key_sandbox_publishable", App: sandboxApp}, true
		}
	}
	info, ok := k.db.FindKey(text)
	return httpapi.Key{ID: info.ID, App: info.App, Secret: info.Kind == sqlstore.KeySecret}, ok
}

// inbox shows the sandbox's messages over HTTP.
type inbox struct{ *sandbox.Inbox }

// Messages implements httpapi.Inbox.
func (b inbox) Messages(to string) []httpapi.InboxMessage {
	list := b.List(to)
	out := make([]httpapi.InboxMessage, len(list))
	for i, m := range list {
		out[i] = httpapi.InboxMessage(m)
	}
	return out
}

// Subscribe implements httpapi.Inbox.
func (b inbox) Subscribe(to string) (next func(context.Context) (httpapi.InboxMessage, bool), stop func()) {
	arrivals, stop := b.Inbox.Subscribe(to)
	next = func(ctx context.Context) (httpapi.InboxMessage, bool) {
		select {
		case m, open := <-arrivals:
			return httpapi.InboxMessage(m), open
		case <-ctx.Done():
			return httpapi.InboxMessage{}, false
		}
	}
	return next, stop
}

// fakeCarrier shows the sandbox's carrier over HTTP.
type fakeCarrier struct{ box *sandbox.Sandbox }

// SetCarrier implements httpapi.Carrier.
func (f fakeCarrier) SetCarrier(rules []httpapi.CarrierRule) error {
	list := make([]sandbox.Rule, len(rules))
	for i, r := range rules {
		list[i] = sandbox.Rule{
			To: r.To, Channel: countersign.Channel(r.Channel), Route: r.Route, Fate: r.Fate, Skip: r.Skip, Times: r.Times, Every: r.Every,
			After: r.After, For: r.For, Delay: r.Delay,
		}
	}
	return f.box.SetRules(list)
}

// Carrier implements httpapi.Carrier.
func (f fakeCarrier) Carrier() []httpapi.CarrierRule {
	rules := f.box.Rules()
	list := make([]httpapi.CarrierRule, len(rules))
	for i, r := range rules {
		list[i] = httpapi.CarrierRule{
			To: r.To, Channel: string(r.Channel), Route: r.Route, Fate: r.Fate, Skip: r.Skip, Times: r.Times, Every: r.Every,
			After: r.After, For: r.For, Delay: r.Delay, Seen: r.Seen,
		}
	}
	return list
}

// sandboxFace is what the sandbox shows beyond the API.
func (g *generation) sandboxFace() *httpapi.Sandbox {
	return &httpapi.Sandbox{
		Inbox: inbox{g.i.box.Inbox()},
		Home: web.HomeView{
			BaseURL: g.cfg.PublicURL, App: sandboxApp, SecretKey: sandboxKey, SinchKey: config.SandboxSinchKey, SinchSec: config.SandboxSinchSecret,
		},
		Advance: g.advance, ForgetLimits: g.i.forgetLimits, Now: func() time.Time { return g.i.store.Now() },
		DangerouslyAnyHost: g.cfg.ExposeSandbox, Seamless: g.i.box.Seamless, Carrier: fakeCarrier{g.i.box},
	}
}

// settleLimit is how long time travel waits for sends that are under way: the sandbox has slow ones on purpose.
const settleLimit = time.Second

// advance moves the sandbox's clock, once what was answered before is written down.
func (g *generation) advance(ctx context.Context, d time.Duration) error {
	g.verifier.Settle(ctx, settleLimit)
	return g.i.store.Advance(ctx, d)
}

// regions are the countries that the hosted page may offer.
func regions() []web.Region {
	all := phone.Regions()
	list := make([]web.Region, 0, len(all))
	for _, code := range all {
		list = append(list, web.Region{Code: code, CallingCode: strconv.Itoa(phone.CallingCode(code))})
	}
	return list
}

// forgetLimits forgets everything that counts, and what the guard has concluded from it.
func (i *instance) forgetLimits(ctx context.Context) error {
	i.seen.Forget()
	return errors.Join(i.db.ForgetBlocks(ctx), i.db.ForgetGuesses(ctx), i.store.ForgetLimits(ctx))
}
