package provider

import (
	"cmp"
	"hash/fnv"
	"math"
	"slices"

	"countersign"
)

// This file chooses a channel and puts routes into an order. The same wish gives the same order, in every process: one that
// takes a send over must ask the vendor that may have sent it.

// Plan implements countersign.Dispatcher.
func (r *Routes) Plan(w *countersign.Wish) (countersign.Path, error) {
	country, number := w.To.Country(), w.To.Dial()
	switch {
	case w.Channel == countersign.ChannelAuto, w.Channel == "":
		return r.climb(w, country, number)
	default:
		if order := r.order(w, w.Channel, country, number); len(order.names) > 0 {
			return order.path(w.Channel, country), nil
		}
	}
	return countersign.Path{}, r.noRoute(w.App, country)
}

// climb takes the ladder's first channel, or the one behind that which did not get through. At its end it stays.
func (r *Routes) climb(w *countersign.Wish, country, number string) (countersign.Path, error) {
	ladder, own := r.ladders[w.App]
	if !own {
		ladder = r.auto
	}
	if w.Last != "" {
		step := w.Missed && (w.Channel == countersign.ChannelAuto || w.Auto || own)
		at := slices.Index(ladder, w.Last)
		if !step || at < 0 {
			ladder = nil
		} else {
			ladder = ladder[at+1:]
		}
	}
	for _, ch := range ladder {
		if !ch.Serves(w.Purpose) {
			continue
		}
		if order := r.order(w, ch, country, number); len(order.names) > 0 {
			return order.path(ch, country), nil
		}
	}
	if w.Last != "" {
		if order := r.order(w, w.Last, country, number); len(order.names) > 0 {
			return order.path(w.Last, country), nil
		}
	}
	return countersign.Path{}, r.noRoute(w.App, country)
}

// order is the routes of a channel for a wish. Where nothing speaks against it, it is the rule's own slices.
func (r *Routes) order(w *countersign.Wish, ch countersign.Channel, country, number string) legs {
	rule := r.rule(w.App, ch, country, number)
	if rule == nil {
		return legs{}
	}
	ailing := rule.ailing(w, country, ch)
	if rule.anywhere && rule.weights == nil && len(w.Failed) == 0 && w.First == "" && ailing == nil {
		return *rule
	}
	var l legs
	for i, made := range rule.order {
		if made.serves(country) {
			l.add(made)
			if rule.weights != nil {
				l.weights = append(l.weights, rule.weights[i])
			}
		}
	}
	l.share(w.Phone)
	l.rank(func(made *route) int {
		switch {
		case made.Name == w.First:
			return 0
		case slices.Contains(w.Failed, made.Name):
			return 3
		case slices.Contains(ailing, made):
			return 2
		}
		return 1
	})
	return l
}

// ailing is the routes that others go before, where there are others and the wish does not settle their place. Each is asked
// once: the answer of one whose messages do not arrive is what lets one of them try, and a wish that does not go by it must
// not use that up.
func (l *legs) ailing(w *countersign.Wish, country string, ch countersign.Channel) (list []*route) {
	if len(l.order) < 2 {
		return nil
	}
	for _, made := range l.order {
		if made.Name == w.First || slices.Contains(w.Failed, made.Name) {
			continue
		}
		if made.health.ailing(country, ch) {
			list = append(list, made)
		}
	}
	return list
}

// rank sorts stably.
func (l *legs) rank(of func(*route) int) {
	slices.SortStableFunc(l.order, func(a, b *route) int { return cmp.Compare(of(a), of(b)) })
	l.name()
}

func (l *legs) name() {
	for i, made := range l.order {
		l.names[i] = made.Name
	}
}

// share puts routes with weights into an order that their weights and the phone decide (weighted rendezvous hashing): over
// many phones each comes first in proportion, and a phone changes its route only when weights do.
func (l *legs) share(phone countersign.Hash) {
	if l.weights == nil {
		return
	}
	score := make(map[*route]float64, len(l.order))
	for i, made := range l.order {
		score[made] = math.Inf(1) // without a weight: behind the others
		if weight := l.weights[i]; weight > 0 {
			h := fnv.New64a()
			_, _ = h.Write(phone[:])
			_, _ = h.Write([]byte(made.Name))
			u := (float64(mix(h.Sum64())>>11) + 0.5) / (1 << 53)
			score[made] = -math.Log(u) / float64(weight)
		}
	}
	slices.SortStableFunc(l.order, func(a, b *route) int { return cmp.Compare(score[a], score[b]) })
	l.name()
}

// mix spreads a hash over all bits (the finaliser of MurmurHash3): FNV's high bits hardly know the last bytes.
func mix(x uint64) uint64 {
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}

func (l *legs) path(ch countersign.Channel, country string) countersign.Path {
	p := countersign.Path{Channel: ch, Routes: l.names, Sender: l.order[0].sender(country)}
	if l.order[0].Hosted {
		p.Hosted = l.order[0].Name
	}
	for _, made := range l.order {
		if !made.Hosted {
			p.OwnCode = true
		}
	}
	return p
}
