package redisstore

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"
)

// This file looks at every server before the client may use it: its role, whether it may evict keys, and whether it
// is the one that was there before. A server that restarted or took another's place may have lost the last second;
// the counts of attacked phones are given back to it before it answers any check.

// servers are the masters that were let in.
type servers struct {
	mu        sync.Mutex
	known     map[string]string // run id by address; with Sentinel there is one address, ""
	restoring map[string]*restoring
	settled   bool // the first connection is made: whoever comes now is new
}

// restoring is a server that is being made safe. Those who dial it meanwhile wait for the same end.
type restoring struct {
	done chan struct{}
	err  error
}

func (v *servers) settle() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.settled = true
}

var (
	errReplica = errors.New("this Redis server is a replica")
	errLoading = errors.New("redis is loading its data")
	errEvicts  = errors.New("redis may evict keys")
	errCluster = errors.New("this Redis server is a cluster's node: its URL must begin with redis+cluster:// or rediss+cluster://")
)

// forGood says whether to try again is pointless until somebody changes a setting.
func forGood(err error) bool {
	if errors.Is(err, errEvicts) || errors.Is(err, errCluster) {
		return true
	}
	text := err.Error()
	return strings.Contains(text, "WRONGPASS") || strings.Contains(text, "NOAUTH") || strings.Contains(text, "NOPERM")
}

// safe says why a server must not be used.
func (s *Store) safe(i serverInfo) error {
	switch {
	case i.loading:
		return errLoading
	case !i.master:
		return errReplica
	case i.cluster && s.target.topology != cluster:
		return errCluster
	case i.policy != "" && i.policy != "noeviction" && !s.options.UnsafeAllowEviction:
		return fmt.Errorf("%w: maxmemory-policy is %s, and a forgotten count is a broken limit; "+
			"set it to noeviction (CONFIG SET maxmemory-policy noeviction, and in redis.conf)", errEvicts, i.policy)
	}
	return nil
}

// dial is the client's way to a server.
func (s *Store) dial(ctx context.Context, addr string, dialer *net.Dialer, _ *tls.Config) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialer.Timeout)
	defer cancel()
	conn, err := s.target.connect(ctx, addr)
	if err != nil {
		return nil, err
	}
	if dialer.KeepAlive == sentinelKeepAlive {
		return conn, nil
	}
	if err := s.admit(ctx, addr, conn); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, conn.SetDeadline(time.Time{})
}

// identify asks a server who it is.
func (s *Store) identify(ctx context.Context, conn net.Conn) (serverInfo, error) {
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return serverInfo{}, err
		}
	}
	w := newWire(conn)
	if err := w.greet(s.target); err != nil {
		return serverInfo{}, err
	}
	text, err := w.do("INFO")
	if err != nil {
		return serverInfo{}, fmt.Errorf("asking Redis for its state: %w", err)
	}
	i := parseInfo(text)
	return i, s.safe(i)
}

func (s *Store) admit(ctx context.Context, addr string, conn net.Conn) error {
	i, err := s.identify(ctx, conn)
	if err != nil {
		return err
	}
	if err := newWire(conn).load(s.scripts.all()); err != nil {
		return fmt.Errorf("giving Redis the scripts: %w", err)
	}
	wait := s.letIn(addr, i)
	if wait == nil {
		return nil
	}
	select {
	case <-wait.done:
		return wait.err
	case <-ctx.Done():
		return fmt.Errorf("giving counts back to Redis: %w", ctx.Err())
	}
}

// letIn says that a server is known, or begins to make it safe.
func (s *Store) letIn(addr string, i serverInfo) *restoring {
	v := &s.servers
	name := addr
	if s.target.topology == sentinel {
		name = ""
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	before, met := v.known[name]
	if met && before == i.runID {
		return nil
	}
	changed := met || (v.settled && s.target.topology == cluster && i.promoted)
	if !changed && s.options.Mirror == nil {
		v.known[name] = i.runID
		return nil
	}
	if r := v.restoring[i.runID]; r != nil {
		return r
	}
	r := &restoring{done: make(chan struct{})}
	v.restoring[i.runID] = r
	s.wg.Go(func() {
		r.err = s.giveBack(addr)
		v.mu.Lock()
		delete(v.restoring, i.runID)
		if r.err == nil {
			v.known[name] = i.runID
		}
		v.mu.Unlock()
		if r.err != nil {
			s.fault(fmt.Errorf("giving counts back to Redis: %w", r.err))
		} else if changed {
			s.suspect()
		}
		close(r.done)
	})
	return r
}

// suspect marks that a server may have lost data. Moves under way are not believed any more.
func (s *Store) suspect() {
	if s.options.AfterFailoverCancel {
		s.clock.renew.Store(true)
	}
	s.clock.stale.Store(true)
	s.generation.Add(1)
	if s.options.Suspected != nil {
		s.options.Suspected()
	}
}

func (s *Store) fault(err error) {
	if s.options.Fault != nil && s.ctx.Err() == nil {
		s.options.Fault(err)
	}
}
