package redisstore

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
)

// wire speaks to a server over a bare connection, before the client gets it: who are you, and are you safe?
type wire struct {
	conn net.Conn
	in   *bufio.Reader
}

// refusal is an error that the server answered.
type refusal string

func (r refusal) Error() string { return string(r) }

func newWire(conn net.Conn) *wire { return &wire{conn, bufio.NewReader(conn)} }

// greet logs in and selects the database.
func (w *wire) greet(t *target) error {
	if t.password != "" {
		login := []string{"AUTH", t.user, t.password}
		if t.user == "" {
			login = []string{"AUTH", t.password}
		}
		if _, err := w.do(login...); err != nil {
			return fmt.Errorf("logging in to Redis: %w", err)
		}
	}
	if t.db != 0 {
		if _, err := w.do("SELECT", strconv.Itoa(t.db)); err != nil {
			return fmt.Errorf("selecting the database: %w", err)
		}
	}
	return nil
}

// load gives a server the scripts, so that the first moves after a start need not carry them: a burst of moves that
// are not known would stall. A server that refuses gets them with the moves.
func (w *wire) load(scripts []*script) error {
	for _, sc := range scripts {
		if err := w.send([]string{"SCRIPT", "LOAD", sc.text}); err != nil {
			return err
		}
	}
	for range scripts {
		var no refusal
		if _, err := w.answer(); err != nil && !errors.As(err, &no) {
			return err
		}
	}
	return nil
}

// do sends a command and reads its answer, which must be text or a number.
func (w *wire) do(command ...string) (string, error) {
	if err := w.send(command); err != nil {
		return "", err
	}
	return w.answer()
}

func (w *wire) send(command []string) error {
	b := fmt.Appendf(nil, "*%d\r\n", len(command))
	for _, part := range command {
		b = fmt.Appendf(b, "$%d\r\n%s\r\n", len(part), part)
	}
	_, err := w.conn.Write(b)
	return err
}

const maxAnswer = 1 << 20

func (w *wire) answer() (string, error) {
	line, err := w.in.ReadString('\n')
	if err != nil {
		return "", err
	}
	line = strings.TrimRight(line, "\r\n")
	if line == "" {
		return "", errors.New("redis answered an empty line")
	}
	switch rest := line[1:]; line[0] {
	case '-':
		return "", refusal(rest)
	case '+', ':':
		return rest, nil
	case '$':
		n, err := strconv.Atoi(rest)
		if err != nil || n > maxAnswer {
			return "", errors.New("redis answered a text of impossible length")
		}
		if n < 0 {
			return "", nil
		}
		b := make([]byte, n+2)
		_, err = io.ReadFull(w.in, b)
		return string(b[:n]), err
	case '*':
		// The parts are read away; only whether there was an error matters.
		n, err := strconv.Atoi(rest)
		for ; err == nil && n > 0; n-- {
			_, err = w.answer()
		}
		return "", err
	}
	return "", errors.New("redis answered something unknown")
}

// serverInfo is what INFO says of a server.
type serverInfo struct {
	runID    string
	master   bool
	promoted bool // it was a replica once
	loading  bool
	cluster  bool
	policy   string // maxmemory-policy
}

func parseInfo(text string) serverInfo {
	var i serverInfo
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimRight(line, "\r\n"), ":")
		switch name {
		case "run_id":
			i.runID = value
		case "role":
			i.master = value == "master"
		case "second_repl_offset":
			i.promoted = value != "-1"
		case "redis_mode":
			i.cluster = value == "cluster"
		case "loading":
			i.loading = value == "1"
		case "maxmemory_policy":
			i.policy = value
		}
	}
	return i
}
