package provider_test

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"countersign"
	"countersign/provider"
)

func everywhere(name string, p countersign.Provider) provider.Route {
	return provider.Route{Name: name, Provider: p, Channels: []countersign.Channel{
		countersign.ChannelSMS, countersign.ChannelWhatsApp, countersign.ChannelVoice, countersign.ChannelEmail,
	}}
}

func phoneHash(n int) (h countersign.Hash) {
	copy(h[:], fmt.Sprintf("%016x", n*0x9e3779b1))
	return h
}

func wayOf(t testing.TB, r *provider.Routes, w *countersign.Wish) countersign.Path {
	t.Helper()
	if w.App == "" {
		w.App = "demo"
	}
	if w.To.IsZero() {
		w.To = number(t, "+14155550123")
	}
	p, err := r.Plan(w)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestRulesByCountryAndPrefix: of an app's rules the first that holds the number decides.
func TestRulesByCountryAndPrefix(t *testing.T) {
	r := routes(t, provider.Config{
		Routes: []provider.Route{everywhere("a", takes("")), everywhere("b", takes("")), everywhere("c", takes(""))},
		Rules:  []provider.Rule{{Channel: countersign.ChannelSMS, Routes: []string{"c"}}},
		Apps: map[string][]provider.Rule{"demo": {
			{Channel: countersign.ChannelSMS, Prefixes: []string{"+4670", "+1415"}, Routes: []string{"b"}},
			{Channel: countersign.ChannelSMS, Countries: []string{"SE", "US"}, Routes: []string{"a", "b"}},
			{Channel: countersign.ChannelSMS, Countries: []string{"DE"}, Prefixes: []string{"+49151"}, Routes: []string{"c"}},
		}},
	})
	for number_, want := range map[string]string{
		"+46701740615": "b", "+46731740615": "a,b", "+14155550123": "b", "+12025550123": "a,b", "+4915123456789": "c", "+4917123456789": "",
	} {
		p, err := r.Plan(&countersign.Wish{App: "demo", Channel: countersign.ChannelSMS, To: number(t, number_)})
		if got := strings.Join(p.Routes, ","); got != want || (err == nil) != (want != "") {
			t.Errorf("%s…: routes %q, %v, want %q", number_[:6], got, err, want)
		}
	}
	if p := wayOf(t, r, &countersign.Wish{App: "other", Channel: countersign.ChannelSMS}); p.Routes[0] != "c" {
		t.Errorf("another app: %v", p.Routes)
	}
}

// TestWeights: messages are shared out in proportion, a phone keeps its route, and without weights nothing is shared.
func TestWeights(t *testing.T) {
	list := []provider.Route{everywhere("a", takes("")), everywhere("b", takes("")), everywhere("c", takes("")), everywhere("spare", takes(""))}
	names := []string{"a", "b", "c", "spare"}
	weighted := routes(t, provider.Config{Routes: list, Rules: []provider.Rule{
		{Channel: countersign.ChannelSMS, Routes: names, Weights: map[string]int{"a": 60, "b": 30, "c": 10}},
	}})
	ordered := routes(t, provider.Config{Routes: list, Rules: []provider.Rule{{Channel: countersign.ChannelSMS, Routes: names}}})
	const phones = 20_000
	first, control := map[string]int{}, map[string]int{}
	for n := range phones {
		w := &countersign.Wish{Channel: countersign.ChannelSMS, Phone: phoneHash(n)}
		p := wayOf(t, weighted, w)
		first[p.Routes[0]]++
		if again := wayOf(t, weighted, w); !slices.Equal(again.Routes, p.Routes) {
			t.Fatalf("a phone's routes are %v and then %v", p.Routes, again.Routes)
		}
		if p.Routes[3] != "spare" {
			t.Fatalf("a route without a weight is not behind the others: %v", p.Routes)
		}
		control[wayOf(t, ordered, w).Routes[0]]++
	}
	for name, want := range map[string]float64{"a": .6, "b": .3, "c": .1} {
		got := float64(first[name]) / phones
		if math.Abs(got-want) > 5*math.Sqrt(want*(1-want)/phones) {
			t.Errorf("%s is first for %.3f of the phones, want %.2f", name, got, want)
		}
	}
	if control["a"] != phones {
		t.Errorf("control: without weights the first is first for %d of %d", control["a"], phones)
	}
}

// TestTheLadder: auto climbs when a message has not arrived, and only then; what was asked for by name stays.
func TestTheLadder(t *testing.T) {
	cfg := provider.Config{
		Routes:  []provider.Route{everywhere("a", takes("")), everywhere("b", takes(""))},
		Ladders: map[string][]countersign.Channel{"own": {countersign.ChannelWhatsApp, countersign.ChannelSMS, countersign.ChannelVoice}},
	}
	r := routes(t, cfg)
	for _, c := range []struct {
		name string
		wish countersign.Wish
		want countersign.Channel
	}{
		{"start", countersign.Wish{Channel: "auto"}, "sms"},
		{"an app's own start", countersign.Wish{App: "own", Channel: "auto"}, "whatsapp"},
		{"auto again, arrived", countersign.Wish{Channel: "auto", Last: "sms"}, "sms"},
		{"auto again, missed", countersign.Wish{Channel: "auto", Last: "sms", Missed: true}, "whatsapp"},
		{"begun by auto, missed", countersign.Wish{Last: "whatsapp", Auto: true, Missed: true}, "voice"},
		{"begun by auto, arrived", countersign.Wish{Last: "whatsapp", Auto: true}, "whatsapp"},
		{"at the end", countersign.Wish{Last: "voice", Auto: true, Missed: true}, "voice"},
		{"begun by name", countersign.Wish{Last: "sms", Missed: true}, "sms"},
		{"begun by name, the app has a ladder", countersign.Wish{App: "own", Last: "whatsapp", Missed: true}, "sms"},
		{"asked for by name", countersign.Wish{App: "own", Channel: "sms", Last: "sms", Auto: true, Missed: true}, "sms"},
		{"a channel beside the ladder", countersign.Wish{Last: "email", Auto: true, Missed: true}, "email"},
		{"no calls for a step-up", countersign.Wish{Purpose: countersign.PurposeStepUp, Last: "whatsapp", Auto: true, Missed: true}, "whatsapp"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if p := wayOf(t, r, &c.wish); p.Channel != c.want {
				t.Errorf("channel %s, want %s", p.Channel, c.want)
			}
		})
	}
}

// TestAnotherRouteForWhatDidNotArrive: routes that failed come last, the one that may have sent comes first.
func TestAnotherRouteForWhatDidNotArrive(t *testing.T) {
	hosted := provider.Route{Name: "hosted", Provider: owner{takes("")}, Hosted: true, Channels: sms()}
	r := routes(t, provider.Config{Routes: []provider.Route{hosted, route("a", takes("")), route("b", takes(""))}})
	for _, c := range []struct {
		failed []string
		first  string
		want   string
		hosted string
	}{
		{nil, "", "hosted,a,b", "hosted"},
		{[]string{"hosted"}, "", "a,b,hosted", ""},
		{[]string{"hosted", "a"}, "", "b,hosted,a", ""},
		{[]string{"hosted", "a", "b"}, "", "hosted,a,b", "hosted"},
		{[]string{"a"}, "b", "b,hosted,a", ""},
		{[]string{"a"}, "a", "a,hosted,b", ""},
	} {
		p := wayOf(t, r, &countersign.Wish{Channel: countersign.ChannelSMS, Failed: c.failed, First: c.first})
		if got := strings.Join(p.Routes, ","); got != c.want || p.Hosted != c.hosted {
			t.Errorf("failed %v, first %q: %s, hosted %q", c.failed, c.first, got, p.Hosted)
		}
	}
}

// TestSendersAndTemplates: a provider is told the sender of the country and the id of the text; where a country has
// templates and none is for this text, the route is left out.
func TestSendersAndTemplates(t *testing.T) {
	first, second := takes("1"), takes("2")
	a := route("a", first)
	a.Sender, a.Senders = "ACME", map[string]string{"US": "+12025550100"}
	a.Templates = []provider.Template{
		{Country: "IN", ID: "in-any"},
		{Country: "IN", Locale: "hi", ID: "in-hindi"},
		{Country: "IN", Purpose: countersign.PurposeSignup, ID: "in-signup"},
		{Country: "SE", Purpose: countersign.PurposeSignup, ID: "se-signup"},
	}
	var skipped []provider.LegResult
	r := routes(t, provider.Config{Routes: []provider.Route{a, route("b", second)}, Observe: func(l provider.Leg) { skipped = append(skipped, l.Result) }})
	for _, c := range []struct {
		to, locale string
		purpose    countersign.Purpose
		by         string
		sender     string
		template   string
	}{
		{"+14155550123", "en", countersign.PurposeLogin, "a", "+12025550100", ""},
		{"+4915123456789", "de", countersign.PurposeLogin, "a", "", ""},
		{"+919876543210", "en", countersign.PurposeLogin, "a", "", "in-any"},
		{"+919876543210", "hi-IN", countersign.PurposeLogin, "a", "", "in-hindi"},
		{"+919876543210", "hi", countersign.PurposeSignup, "a", "", "in-signup"},
		{"+46701740615", "sv", countersign.PurposeSignup, "a", "", "se-signup"},
		{"+46701740615", "sv", countersign.PurposeLogin, "b", "", ""},
	} {
		m := message(t)
		m.To, m.Locale, m.Purpose = number(t, c.to), c.locale, c.purpose
		p := wayOf(t, r, &countersign.Wish{Channel: countersign.ChannelSMS, To: m.To})
		d, err := r.Dispatch(t.Context(), p, m)
		if err != nil || d.Delivery.Provider != c.by || m.Sender != c.sender || m.Template != c.template {
			t.Errorf("%s… %s %s: by %q, sender %q, template %q, %v", c.to[:4], c.locale, c.purpose, d.Delivery.Provider, m.Sender, m.Template, err)
		}
		if want := cmp.Or(c.sender, "ACME"); c.by == "a" && p.Sender != want {
			t.Errorf("the opt-out list is asked for %q, want %q", p.Sender, want)
		}
	}
	if n := len(slices.DeleteFunc(skipped, func(l provider.LegResult) bool { return l != provider.LegUnregistered })); n != 1 {
		t.Errorf("%d legs were left out for want of a template, want 1", n)
	}
}

func BenchmarkPlanWeighted(b *testing.B) {
	r := routes(b, provider.Config{
		Routes: []provider.Route{everywhere("a", takes("")), everywhere("b", takes(""))},
		Rules:  []provider.Rule{{Channel: countersign.ChannelSMS, Routes: []string{"a", "b"}, Weights: map[string]int{"a": 70, "b": 30}}},
	})
	w := &countersign.Wish{App: "demo", Channel: countersign.ChannelSMS, To: number(b, "+14155550123"), Phone: phoneHash(1)}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Plan(w); err != nil {
			b.Fatal(err)
		}
	}
}
