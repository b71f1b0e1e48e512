// Package postgrestest runs a Postgres server of one's own, for tests and measurements: in a directory that goes with
// it, on a socket in there, and as the user postgres where the caller is root.
package postgrestest

import (
	"bufio"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// startTime is how long a server may take until it takes connections.
const startTime = 30 * time.Second

// Server is a Postgres server. It is not safe for concurrent use, but for URL.
type Server struct {
	dir, bin string
	settings []string
	who      *syscall.Credential // nil for the caller
	server   *exec.Cmd
	ended    chan struct{}
}

// Start makes a database cluster and serves it. Settings are as in postgresql.conf: "fsync=off". A machine without the
// Postgres programs is an error.
func Start(settings ...string) (*Server, error) {
	s := &Server{settings: settings}
	var err error
	if s.bin, err = programs(); err != nil {
		return nil, err
	}
	if s.dir, err = os.MkdirTemp("", "pg"); err != nil {
		return nil, err
	}
	if err := s.begin(); err != nil {
		_ = os.RemoveAll(s.dir)
		return nil, err
	}
	return s, nil
}

func (s *Server) begin() error {
	if os.Geteuid() == 0 { // Postgres refuses to run as root
		if err := s.lowerTo("postgres"); err != nil {
			return err
		}
	}
	init := s.command("initdb", "-D", s.dir+"/data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	if out, err := init.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	return s.Serve()
}

func programs() (string, error) {
	if p, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(p), nil
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return "", errors.New("initdb is not on this machine: install postgresql")
	}
	return filepath.Dir(slices.Max(found)), nil
}

func (s *Server) lowerTo(name string) error {
	u, err := user.Lookup(name)
	if err != nil {
		return err
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return err
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return err
	}
	s.who = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return os.Chown(s.dir, uid, gid)
}

func (s *Server) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.bin, name), args...)
	cmd.Dir = s.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.who, Pdeathsig: syscall.SIGQUIT}
	return cmd
}

// Serve starts a server again that was stopped. It returns when that says that it takes connections.
func (s *Server) Serve() error {
	args := []string{"-D", s.dir + "/data", "-k", s.dir, "-c", "listen_addresses="}
	for _, setting := range s.settings {
		args = append(args, "-c", setting)
	}
	s.server = s.command("postgres", args...)
	log, err := s.server.StderrPipe()
	if err != nil {
		return err
	}
	if err := s.server.Start(); err != nil {
		return err
	}
	ready, ended := make(chan struct{}), make(chan struct{})
	s.ended = ended
	go func() {
		defer close(ended)
		told := false
		for lines := bufio.NewScanner(log); lines.Scan(); {
			if !told && strings.Contains(lines.Text(), "ready to accept connections") {
				told = true
				close(ready)
			}
		}
	}()
	select {
	case <-ready:
		return nil
	case <-ended:
		_ = s.server.Wait()
		return errors.New("postgres ended before it was ready")
	case <-time.After(startTime):
		s.Stop()
		return errors.New("postgres was not ready in time")
	}
}

// Stop ends the server as a crash would.
func (s *Server) Stop() {
	_ = s.server.Process.Signal(syscall.SIGQUIT)
	<-s.ended
	_ = s.server.Wait()
}

// Remove ends the server and deletes what it had.
func (s *Server) Remove() {
	s.Stop()
	_ = os.RemoveAll(s.dir)
}

// PID is the first process of the server; the others are its children.
func (s *Server) PID() int { return s.server.Process.Pid }

// URL is where a database of the server is reached. The server comes with one that is named postgres.
func (s *Server) URL(database string) string {
	return "postgres://postgres@/" + database + "?host=" + url.QueryEscape(s.dir)
}
