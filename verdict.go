package countersign

import "context"

// Verdict is what the guard decided about a start or a send, for the log of whoever asked: the answer and the rules, and
// nothing about a person. The zero Verdict is none: it did not come to a decision, or the request repeated another one.
type Verdict struct {
	Decision string   // allow, challenge or deny
	Rule     string   // that decided, when it was not allow
	Shadow   []string // rules in shadow that would have refused
}

type verdictKey struct{}

// WithVerdict is a context whose Start or Send writes into v what the guard decided, before it returns. The decision is not
// in the error, because errors are for whoever asked, and that may be an attacker.
func WithVerdict(ctx context.Context, v *Verdict) context.Context {
	return context.WithValue(ctx, verdictKey{}, v)
}

// decided tells the guard what became of an attempt that it judged, and the caller what the guard made of it.
func (v *Verifier) decided(ctx context.Context, a *Attempt, t *Taken, err error) {
	v.cfg.Guard.Decided(a, t, err)
	if told, ok := ctx.Value(verdictKey{}).(*Verdict); ok {
		*told = a.Verdict
	}
}
