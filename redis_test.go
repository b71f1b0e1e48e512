package countersign_test

import (
	"context"
	"crypto/tls"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"countersign/store/redisstore"
)

// redisServer is a redis-server process of a test's own, on a socket.
type redisServer struct {
	t    testing.TB
	dir  string
	args []string
	cmd  *exec.Cmd
}

func startRedis(t testing.TB, args ...string) *redisServer {
	t.Helper()
	dir, err := os.MkdirTemp("", "redis") // short: a socket's path has at most 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	s := &redisServer{t: t, dir: dir, args: args}
	t.Cleanup(func() {
		s.kill()
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	s.start()
	return s
}

func (s *redisServer) socket() string { return filepath.Join(s.dir, "s") }
func (s *redisServer) url() string    { return "unix://" + s.socket() }

// start runs the process, with what it left on the disk, and waits until it has loaded that.
func (s *redisServer) start() {
	s.t.Helper()
	s.cmd = exec.Command("redis-server", append([]string{"--port", "0", "--unixsocket", s.socket(), "--save", "", "--dir", s.dir}, s.args...)...)
	if err := s.cmd.Start(); err != nil {
		s.t.Fatalf("redis-server is needed (on Debian: apt-get install redis-server): %v", err)
	}
	eventually(s.t, "redis-server answers", func() bool {
		client, err := s.connect()
		if err != nil {
			return false
		}
		defer client.Close()
		return client.Do(context.Background(), client.B().Ping().Build()).Error() == nil
	})
}

// kill ends the process as kill -9 does.
func (s *redisServer) kill() {
	if s.cmd == nil {
		return
	}
	if err := s.cmd.Process.Kill(); err != nil {
		s.t.Errorf("killing redis-server: %v", err)
	}
	_ = s.cmd.Wait() // it says that it was killed
	s.cmd = nil
}

func (s *redisServer) connect() (rueidis.Client, error) {
	return rueidis.NewClient(rueidis.ClientOption{
		InitAddress: []string{s.socket()}, DisableCache: true, ForceSingleClient: true,
		DialCtxFn: func(ctx context.Context, address string, _ *net.Dialer, _ *tls.Config) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", address)
		},
	})
}

// ask runs a command that must go well.
func (s *redisServer) ask(command ...string) rueidis.RedisMessage {
	s.t.Helper()
	client, err := s.connect()
	if err != nil {
		s.t.Fatal(err)
	}
	defer client.Close()
	answer, err := client.Do(context.Background(), client.B().Arbitrary(command...).Build()).ToMessage()
	if err != nil && !rueidis.IsRedisNil(err) {
		s.t.Fatalf("%s: %v", command[0], err)
	}
	return answer
}

// open opens a store on the server. The timeout is for machines that do much else.
func (s *redisServer) open(o redisstore.Options) *redisstore.Store {
	s.t.Helper()
	o.URL, o.Timeout = s.url(), 5*time.Second
	store, err := redisstore.Open(s.t.Context(), o)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		if err := store.Close(); err != nil {
			s.t.Error(err)
		}
	})
	return store
}

// dumped is a key as it was.
type dumped struct{ key, value, ttl string }

// dump takes all keys down.
func (s *redisServer) dump() []dumped {
	s.t.Helper()
	all := s.ask("KEYS", "*")
	keys, err := all.AsStrSlice()
	if err != nil {
		s.t.Fatal(err)
	}
	var list []dumped
	for _, key := range keys {
		value, left := s.ask("DUMP", key), s.ask("PTTL", key)
		text, err := value.ToString()
		if err != nil {
			continue // it has run out meanwhile
		}
		ms, err := left.AsInt64()
		if err != nil {
			s.t.Fatal(err)
		}
		list = append(list, dumped{key, text, strconv.FormatInt(max(ms, 0), 10)})
	}
	return list
}

// restore puts keys back as they were, over what became of them.
func (s *redisServer) restore(list []dumped) {
	s.t.Helper()
	for _, d := range list {
		s.ask("RESTORE", d.key, d.ttl, d.value, "REPLACE")
	}
}

// eventually waits for a condition, at most half a minute.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
