package redisstore

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// A cluster client reads its table again a moment after it was told to, and five seconds later closes the connections
// that this replaced, closed itself or not: these two goroutines of the library's may outlive the tests.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/redis/rueidis.(*clusterClient)._refresh.func2"),
		goleak.IgnoreAnyFunction("github.com/redis/rueidis.(*call).DelayDo.func1"),
	)
}

// redisServer is a redis-server process of a test's own.
type redisServer struct {
	t      testing.TB
	dir    string
	port   int
	args   []string
	config string // lines of a configuration file
	cmd    *exec.Cmd
	gone   chan struct{}
}

// freePorts asks the system for ports that nobody listens on. They are below the range of cluster bus ports.
func freePorts(t testing.TB, n int) []int {
	t.Helper()
	ports := make([]int, 0, n)
	for len(ports) < n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = l.Close() }()
		if port := l.Addr().(*net.TCPAddr).Port; port < 55_000 {
			ports = append(ports, port)
		}
	}
	return ports
}

// startRedis runs a server until the test ends.
func startRedis(t testing.TB, args ...string) *redisServer {
	t.Helper()
	return startConfigured(t, "", args...)
}

func startConfigured(t testing.TB, config string, args ...string) *redisServer {
	t.Helper()
	dir, err := os.MkdirTemp("", "cs-redis-")
	if err != nil {
		t.Fatal(err)
	}
	s := &redisServer{t: t, dir: dir, port: freePorts(t, 1)[0], config: config, args: args}
	t.Cleanup(func() {
		s.kill()
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	s.start()
	return s
}

// start runs the process, again if it was killed, and waits until it answers.
func (s *redisServer) start() {
	s.t.Helper()
	s.run()
	s.eventually("the server answers", func() bool {
		_, err := s.try("PING")
		return err == nil || contains(err.Error(), "NOAUTH")
	})
}

func (s *redisServer) run() {
	s.t.Helper()
	config := filepath.Join(s.dir, "conf") // Sentinel wants one to write into
	if err := os.WriteFile(config, []byte(s.config), 0o600); err != nil {
		s.t.Fatal(err)
	}
	args := append([]string{
		config, "--port", strconv.Itoa(s.port), "--bind", "127.0.0.1", "--dir", s.dir, "--save", "", "--logfile", filepath.Join(s.dir, "log"),
		"--unixsocket", s.socket(),
	}, s.args...)
	s.cmd, s.gone = exec.Command("redis-server", args...), make(chan struct{})
	if err := s.cmd.Start(); err != nil {
		s.t.Fatalf("starting redis-server, which must be installed: %v", err)
	}
	go func(cmd *exec.Cmd, gone chan struct{}) {
		_ = cmd.Wait() // it is killed in the end
		close(gone)
	}(s.cmd, s.gone)
}

// kill ends the process at once, as kill -9 does.
func (s *redisServer) kill() {
	select {
	case <-s.gone:
		return
	default:
	}
	if err := s.cmd.Process.Kill(); err != nil {
		s.t.Errorf("killing redis-server: %v", err)
	}
	<-s.gone
}

// memory is what the data takes, in bytes: keys, values, expiries and their tables.
func (s *redisServer) memory() int {
	s.t.Helper()
	_, rest, _ := strings.Cut(s.do("INFO", "memory"), "used_memory:")
	text, _, _ := strings.Cut(rest, "\r")
	n, err := strconv.Atoi(text)
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

func (s *redisServer) addr() string   { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }
func (s *redisServer) url() string    { return "redis://" + s.addr() + "/0" }
func (s *redisServer) socket() string { return filepath.Join(s.dir, "s") }

func (s *redisServer) try(command ...string) (string, error) {
	conn, err := net.DialTimeout("tcp", s.addr(), time.Second)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return "", err
	}
	return newWire(conn).do(command...)
}

// do runs a command that must go well.
func (s *redisServer) do(command ...string) string {
	s.t.Helper()
	answer, err := s.try(command...)
	if err != nil {
		s.t.Fatalf("%v: %v", command, err)
	}
	return answer
}

// eventually waits for a condition, at most ten seconds.
func (s *redisServer) eventually(what string, ok func() bool) { eventually(s.t, what, ok) }

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for !ok() {
		select {
		case <-ctx.Done():
			t.Fatalf("waited in vain until %s", what)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// startCluster runs a cluster of masters that share all slots evenly.
func startCluster(t testing.TB, n int, args ...string) []*redisServer {
	t.Helper()
	nodes := make([]*redisServer, n)
	for i := range nodes {
		nodes[i] = startRedis(t, append([]string{"--cluster-enabled", "yes", "--cluster-node-timeout", "1000"}, args...)...)
	}
	for i, node := range nodes {
		node.do("CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i+1))
		node.do("CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(i*16384/n), strconv.Itoa((i+1)*16384/n-1))
		if i > 0 {
			node.do("CLUSTER", "MEET", "127.0.0.1", strconv.Itoa(nodes[0].port))
		}
	}
	for _, node := range nodes {
		node.eventually("the cluster is whole", func() bool {
			info := node.do("CLUSTER", "INFO")
			return contains(info, "cluster_state:ok") && contains(info, fmt.Sprintf("cluster_known_nodes:%d", n)) &&
				contains(info, "cluster_slots_ok:16384")
		})
	}
	return nodes
}
