package redisstore

import (
	"context"

	"countersign"
)

// Refund implements countersign.Limits. On one server a refund is one script; on a cluster the limit that says whether
// it is a full one comes first, each in its own slot, all refunds' in one flush.
func (s *Store) Refund(ctx context.Context, refunds []countersign.Refund) error {
	var jobs []job
	var err error
	if s.target.topology == cluster {
		jobs, err = s.refundJobsOnCluster(ctx, refunds)
	} else {
		jobs = s.refundJobs(refunds)
	}
	if err != nil || len(jobs) == 0 {
		return err
	}
	_, err = s.flush(ctx, jobs)
	return err
}

func (s *Store) refundJobs(refunds []countersign.Refund) []job {
	offset, jobs := s.clock.set.Load().offsetText, make([]job, 0, len(refunds))
	for i := range refunds {
		r := &refunds[i]
		once := r.Once.Burst > 0
		keys, packed := make([]string, 0, 1+len(r.Limits)), make([]byte, 0, limitSize*(1+len(r.Limits)))
		if once {
			keys, packed = append(keys, rateKey(r.Once.Key)), appendLimit(packed, &r.Once, r.Once.Spends())
		}
		for n := range r.Limits {
			if l := &r.Limits[n]; l.Back != 0 {
				keys, packed = append(keys, rateKey(l.Key)), appendLimit(packed, l, l.Back)
			}
		}
		if len(keys) > 0 {
			jobs = append(jobs, job{s.scripts.refund, keys, []string{offset, flag(once), "", "", "", "", string(packed)}})
		}
	}
	return jobs
}

func (s *Store) refundJobsOnCluster(ctx context.Context, refunds []countersign.Refund) ([]job, error) {
	var first []job
	var counts []*countersign.Take
	var of []int
	for i := range refunds {
		if once := &refunds[i].Once; once.Burst > 0 {
			t := &countersign.Take{Limits: []countersign.Limit{*once}}
			first, counts, of = append(first, s.portionJob(s.scripts.take, t, portion{0, 1, false}, "")), append(counts, t), append(of, i)
		}
	}
	over := make([]bool, len(refunds))
	if len(first) > 0 {
		answers, err := s.flush(ctx, first)
		if err != nil {
			return nil, err
		}
		for n, list := range answers {
			taken := &countersign.Taken{Rates: make([]countersign.Rate, 1)}
			if _, err := readPortion(taken, counts[n], portion{0, 1, false}, list); err != nil {
				return nil, err
			}
			over[of[n]] = taken.Rates[0].Over
		}
	}
	offset := s.clock.set.Load().offsetText
	var jobs []job
	for i := range refunds {
		for n := range refunds[i].Limits {
			l := &refunds[i].Limits[n]
			back := l.Back
			if over[i] {
				back = min(back, 1)
			}
			if back != 0 {
				jobs = append(jobs, job{
					s.scripts.release, []string{rateKey(l.Key)}, []string{offset, "0", "", "", "", "", string(appendLimit(nil, l, back))},
				})
			}
		}
	}
	return jobs, nil
}
