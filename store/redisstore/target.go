package redisstore

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"
)

type topology uint8

const (
	single topology = iota
	sentinel
	cluster
)

// target is what a URL names.
type target struct {
	topology topology
	network  string // tcp or unix
	addrs    []string
	master   string // Sentinel's name of the set
	db       int

	user, password                 string
	sentinelUser, sentinelPassword string
	tls                            *tls.Config // nil: in clear
}

// parseTarget reads a URL:
//
//	redis://user:password@host:port/db        rediss:// for TLS
//	unix:///path/to/socket?db=0
//	redis+sentinel://host:port,host:port/master/db?sentinel_user=…&sentinel_password=…
//	redis+cluster://host:port,host:port       also redis:// with several hosts
//
// Its errors never hold the text, which has a password in it.
func parseTarget(text string) (*target, error) {
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok {
		return nil, errors.New("the Redis URL has no scheme; redis://host:port/db is the simplest one")
	}
	rest, rawQuery, _ := strings.Cut(rest, "?")
	query, err := url.ParseQuery(rawQuery)
	if err != nil {
		return nil, errors.New("the Redis URL's query cannot be read")
	}
	for name := range query {
		if name != "sentinel_user" && name != "sentinel_password" && (name != "db" || scheme != "unix") {
			return nil, errors.New("the Redis URL has a parameter that is not known; there are sentinel_user and sentinel_password with +sentinel, and db with unix")
		}
	}
	t := &target{network: "tcp", sentinelUser: query.Get("sentinel_user"), sentinelPassword: query.Get("sentinel_password")}
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		if err := t.parseUser(rest[:at]); err != nil {
			return nil, err
		}
		rest = rest[at+1:]
	}
	base, kind, _ := strings.Cut(scheme, "+")
	switch base {
	case "unix":
		t.network, t.addrs = "unix", []string{rest}
		if rest == "" || kind != "" {
			return nil, errors.New("the Redis URL names no socket; unix:///path/to/socket is expected")
		}
		return t, t.parseDB(query.Get("db"))
	case "redis":
	case "rediss":
		t.tls = &tls.Config{MinVersion: tls.VersionTLS12}
	default:
		return nil, errors.New("the Redis URL's scheme must be redis, rediss or unix, or the first two with +sentinel or +cluster")
	}
	hosts, path, _ := strings.Cut(rest, "/")
	if err := t.parseHosts(hosts, kind); err != nil {
		return nil, err
	}
	return t, t.parsePath(kind, path)
}

func (t *target) parseUser(text string) error {
	user, password, both := strings.Cut(text, ":")
	if !both {
		return errors.New("the Redis URL has a user without a password; write user:password@ or :password@")
	}
	var err, err2 error
	t.user, err = url.PathUnescape(user)
	t.password, err2 = url.PathUnescape(password)
	if err != nil || err2 != nil {
		return errors.New("the Redis URL's user or password is not percent-encoded correctly")
	}
	return nil
}

func (t *target) parseHosts(hosts, kind string) error {
	port := "6379"
	if kind == "sentinel" {
		port = "26379"
	}
	for host := range strings.SplitSeq(hosts, ",") {
		addr := host
		if bare := strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"); len(bare) == len(host)-2 || !strings.Contains(host, ":") {
			addr = net.JoinHostPort(bare, port)
		}
		name, number, err := net.SplitHostPort(addr)
		if n, bad := strconv.ParseUint(number, 10, 16); err != nil || bad != nil || n == 0 || name == "" {
			return errors.New("the Redis URL names a host that is not host:port")
		}
		t.addrs = append(t.addrs, addr)
	}
	return nil
}

func (t *target) parsePath(kind, path string) error {
	switch kind {
	case "cluster":
		t.topology = cluster
	case "sentinel":
		t.topology = sentinel
		t.master, path, _ = strings.Cut(path, "/")
		if t.master == "" {
			return errors.New("the Redis URL names no master; redis+sentinel://host:port/master/db is expected")
		}
	case "":
		if len(t.addrs) > 1 {
			t.topology = cluster
		}
	default:
		return errors.New("the Redis URL's scheme must end in nothing, +sentinel or +cluster")
	}
	if err := t.parseDB(path); err != nil {
		return err
	}
	if t.topology == cluster && t.db != 0 {
		return errors.New("a Redis cluster has the database 0 only")
	}
	return nil
}

func (t *target) parseDB(text string) error {
	if text == "" {
		return nil
	}
	db, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return errors.New("the Redis URL's database must be a number from 0 to 65535")
	}
	t.db = int(db)
	return nil
}

// sentinelKeepAlive marks the dialer that rueidis uses for sentinels: the hook is told of a dialer and an address only.
const (
	serverKeepAlive   = time.Second
	sentinelKeepAlive = 5 * time.Second
)

// connect opens a connection, with TLS where the URL says so.
func (t *target) connect(ctx context.Context, addr string) (net.Conn, error) {
	dialer := net.Dialer{KeepAlive: serverKeepAlive}
	conn, err := dialer.DialContext(ctx, t.network, addr)
	if err != nil || t.tls == nil {
		return conn, err
	}
	config := t.tls.Clone()
	if config.ServerName == "" {
		config.ServerName, _, _ = net.SplitHostPort(addr)
	}
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("TLS with Redis: %w", err), conn.Close())
	}
	return secure, nil
}

// clientOption is how rueidis is set up. It never repeats a command by itself: a check whose answer was lost may
// have been counted.
func (t *target) clientOption(timeout time.Duration) rueidis.ClientOption {
	option := rueidis.ClientOption{
		InitAddress: t.addrs, Username: t.user, Password: t.password, SelectDB: t.db, ClientName: "countersign",
		Dialer:            net.Dialer{Timeout: timeout, KeepAlive: serverKeepAlive},
		ConnWriteTimeout:  4 * timeout,
		ForceSingleClient: t.topology == single,
		DisableCache:      true, DisableRetry: true, AlwaysPipelining: true,
		ReadBufferEachConn: 64 << 10, WriteBufferEachConn: 64 << 10, RingScaleEachConn: 9,
		ClusterOption: rueidis.ClusterOption{MaxMovedRedirections: 3, ShardsRefreshInterval: 5 * time.Second},
	}
	if t.topology == sentinel {
		option.Sentinel = rueidis.SentinelOption{
			MasterSet: t.master, Username: t.sentinelUser, Password: t.sentinelPassword,
			Dialer:                  net.Dialer{Timeout: timeout, KeepAlive: sentinelKeepAlive},
			TopologyRefreshInterval: 5 * time.Second,
		}
	}
	return option
}
