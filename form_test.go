package countersign_test

import (
	"strings"
	"testing"
	"time"

	"countersign"
)

// watching is a guard that remembers how long the last form was open.
type watching struct {
	unguarded
	open time.Duration
}

func (w *watching) Judge(a *countersign.Attempt) ([]countersign.Limit, error) {
	w.open = a.FilledIn
	return nil, nil
}

// A form says how long it was open, and only to the browser and app that it was handed to; what somebody made up or kept
// says nothing. A start that came by no form has no such time.
func TestAFormSaysHowLongItWasOpen(t *testing.T) {
	w := &watching{}
	b := newBench(t, func(cfg *countersign.Config, _ *countersign.App) { cfg.Guard = w })
	const mine = "browser one"
	token := b.FormToken(b.app, mine)
	b.advance(t, 5*time.Second)
	judged := func(form *countersign.Form) time.Duration {
		t.Helper()
		w.open = -2
		_, _ = b.start(t, number, func(q *countersign.StartRequest) { q.Form = form }) // the phone's cooldown comes after the guard
		return w.open
	}
	if got := judged(nil); got != 0 {
		t.Errorf("without a form: %s", got)
	}
	if got := judged(&countersign.Form{Token: token, Browser: mine}); got < 5*time.Second || got > time.Minute {
		t.Errorf("a form of five seconds ago was open for %s", got)
	}
	at, mac, _ := strings.Cut(token, ".")
	last := "0"
	if strings.HasSuffix(mac, last) {
		last = "1"
	}
	for name, form := range map[string]*countersign.Form{
		"of another browser": {Token: token, Browser: "browser two"},
		"of another app":     {Token: b.FormToken(&countersign.App{ID: "other"}, mine), Browser: mine},
		"empty":              {Browser: mine},
		"without its hash":   {Token: at, Browser: mine},
		"with another hash":  {Token: at + "." + mac[:len(mac)-1] + last, Browser: mine},
		"made older":         {Token: "1." + mac, Browser: mine},
		"long":               {Token: strings.Repeat("z", 4000) + "." + mac, Browser: mine},
	} {
		if got := judged(form); got >= 0 {
			t.Errorf("a form %s was open for %s", name, got)
		}
	}
	b.advance(t, 13*time.Hour)
	if got := judged(&countersign.Form{Token: token, Browser: mine}); got >= 0 {
		t.Errorf("a form of yesterday was open for %s", got)
	}
}
