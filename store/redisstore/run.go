package redisstore

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/redis/rueidis"
)

const pollEvery = time.Second

// Run watches the servers until ctx ends: about once a second it looks whether they are still the same and still
// safe, reads the clock's setting, and carries noted phones to the mirror. It returns nil.
func (s *Store) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pollEvery*9/10 + rand.N(pollEvery/5)):
		}
		if err := s.poll(ctx); err != nil && ctx.Err() == nil {
			s.fault(err)
		}
	}
}

func (s *Store) poll(ctx context.Context) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	if err := s.watch(ctx, c); err != nil {
		return err
	}
	reading, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	if err := s.readClock(reading, 0, 0); err != nil {
		return err
	}
	return s.mirror(ctx)
}

// watch looks at every server. One that became a master without a new connection is made safe here.
func (s *Store) watch(ctx context.Context, c rueidis.Client) error {
	ctx, cancel := context.WithTimeout(ctx, 4*s.timeout)
	defer cancel()
	var trouble error
	for addr, node := range c.Nodes() {
		text, err := node.Do(ctx, node.B().Info().Build()).ToString()
		if err != nil {
			continue // away, or a replica, which is not let in
		}
		i := parseInfo(text)
		if !i.master {
			continue
		}
		if err := s.safe(i); err != nil {
			trouble = err
			continue
		}
		if wait := s.letIn(addr, i); wait != nil {
			select {
			case <-wait.done:
			case <-ctx.Done():
			}
		}
	}
	if trouble == nil {
		s.unsafe.Store(nil)
		return nil
	}
	s.unsafe.Store(&trouble)
	return trouble
}
