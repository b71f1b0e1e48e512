package redisstore

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"countersign"
)

// Options say where Redis is and what to do when it is not as it was.
type Options struct {
	// URL names the servers:
	//
	//	redis://user:password@host:port/db        rediss:// for TLS
	//	unix:///path/to/socket?db=0
	//	redis+sentinel://host:port,host:port/master/db
	//	redis+cluster://host:port,host:port       also redis:// with several hosts
	URL string
	// TLS is used with rediss URLs; nil means the system's roots and TLS 1.2 or later.
	TLS *tls.Config
	// Timeout bounds every move; 0 means 250 ms.
	Timeout time.Duration

	// Mirror keeps the counts of attacked phones where Redis cannot lose them. Nil: a failover may forget them.
	Mirror Mirror
	// AfterFailoverCancel cancels what was pending when a server lost data or was replaced: no code that may have been
	// used already is accepted. Without it such codes live on.
	AfterFailoverCancel bool
	// Suspected is called when a server may have lost data: another run, or a replica in its place. Optional.
	Suspected func()
	// Fault is told of failures in the background. Optional.
	Fault func(error)

	// UnsafeAllowEviction accepts a server that may evict keys. Evicted counts are forgotten: limits do not hold.
	UnsafeAllowEviction bool
}

const defaultTimeout = 250 * time.Millisecond

// Store keeps what is in flight in Redis. Make one with Open.
type Store struct {
	options Options
	target  *target
	timeout time.Duration
	scripts *scripts

	connected  atomic.Pointer[rueidis.Client]
	trouble    atomic.Pointer[error] // why it last failed
	unsafe     atomic.Pointer[error] // why it must not be used, though it answers
	generation atomic.Int64          // grows with every server that may have lost data
	breaker    breaker
	clock      clock
	servers    servers
	index      index

	stop context.CancelFunc
	ctx  context.Context
	wg   sync.WaitGroup
}

var (
	_ countersign.Store    = (*Store)(nil)
	_ countersign.SentMany = (*Store)(nil)
)

// Open makes a store. It does not fail because Redis is away: it goes on trying behind, and until then every move
// fails with ErrUnavailable. It fails when the options are wrong, when Redis may evict keys (unless that is allowed),
// and when Redis refuses the password.
func Open(ctx context.Context, o Options) (*Store, error) {
	t, err := parseTarget(o.URL)
	if err != nil {
		return nil, err
	}
	if t.tls != nil && o.TLS != nil {
		t.tls = o.TLS
	}
	sc, err := loadScripts()
	if err != nil {
		return nil, err
	}
	s := &Store{options: o, target: t, timeout: o.Timeout, scripts: sc}
	if s.timeout <= 0 {
		s.timeout = defaultTimeout
	}
	s.clock.start = time.Now()
	s.clock.set.Store(newSetting(0, 0))
	s.servers.known, s.servers.restoring = map[string]string{}, map[string]*restoring{}
	s.ctx, s.stop = context.WithCancel(context.WithoutCancel(ctx))
	if err := s.connect(); err != nil {
		if forGood(err) {
			return nil, errors.Join(fmt.Errorf("opening the Redis store: %w", err), s.Close())
		}
		s.remember(err)
		s.wg.Go(s.reconnect)
	}
	return s, nil
}

// reconnect tries until the first connection is made; after that the client finds its way back by itself.
func (s *Store) reconnect() {
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 800*time.Millisecond) {
		select {
		case <-s.ctx.Done():
			return
		case <-time.After(wait/2 + rand.N(wait/2)):
		}
		err := s.connect()
		if err == nil {
			return
		}
		s.remember(err)
	}
}

// connect makes the client. Every server that it dials is looked at first, see dial.
func (s *Store) connect() error {
	option := s.target.clientOption(s.timeout)
	option.DialCtxFn = s.dial
	c, err := rueidis.NewClient(option)
	if err != nil {
		if c != nil {
			c.Close()
		}
		return fmt.Errorf("connecting to Redis: %w", s.target.explain(err))
	}
	// A cluster's nodes are all met now, so that a node met later is known to be new.
	ctx, cancel := context.WithTimeout(s.ctx, 4*s.timeout)
	defer cancel()
	for _, node := range c.Nodes() {
		if err := node.Do(ctx, node.B().Ping().Build()).Error(); err != nil && !errors.Is(err, errReplica) {
			c.Close()
			return fmt.Errorf("connecting to Redis: %w", s.target.explain(err))
		}
	}
	s.connected.Store(&c)
	s.servers.settle()
	if err := s.readClock(ctx, 0, 0); err == nil { // else the next move reads it again
		s.trouble.Store(nil)
	}
	return nil
}

// remember keeps the last trouble for Ping.
func (s *Store) remember(err error) { s.trouble.Store(&err) }

var errNotYet = errors.New("redis is not connected yet")

// reason is why there is no connection.
func (s *Store) reason() error {
	if err := s.trouble.Load(); err != nil {
		return *err
	}
	return errNotYet
}

// Ping implements countersign.Store: it writes a key that lives for a second, so that a server that is full,
// read-only or still loading is found out as well.
func (s *Store) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	if err := s.unsafe.Load(); err != nil {
		return countersign.Unavailable(*err)
	}
	c, err := s.ready(ctx)
	if err != nil {
		if last := s.trouble.Load(); last != nil && errors.Is(err, errOpen) {
			return countersign.Unavailable(*last)
		}
		return err
	}
	if err := c.Do(ctx, c.B().Set().Key("cs:ping").Value("1").PxMilliseconds(1000).Build()).Error(); err != nil {
		return s.failed(ctx, "ping", err)
	}
	s.breaker.succeeded()
	return nil
}

// Close ends all connections. Run must have returned.
func (s *Store) Close() error {
	s.stop()
	s.wg.Wait()
	if c := s.connected.Load(); c != nil {
		(*c).Close()
	}
	return nil
}
