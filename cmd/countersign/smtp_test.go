package main

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// postbox is a mail server on loopback that keeps what it takes. The adapter's own tests use a real one.
type postbox struct {
	l       net.Listener
	mu      sync.Mutex
	letters []string
	all     sync.WaitGroup
}

func newPostbox(t *testing.T) *postbox {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &postbox{l: l}
	p.all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.all.Go(func() { p.serve(c) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		p.all.Wait()
	})
	return p
}

func (p *postbox) serve(c net.Conn) {
	defer c.Close()
	in := bufio.NewScanner(c)
	fmt.Fprint(c, "220 box\r\n")
	var letter []string
	inside := false
	for in.Scan() {
		line := in.Text()
		switch {
		case inside && line != ".":
			letter = append(letter, line)
		case inside:
			inside = false
			p.mu.Lock()
			p.letters = append(p.letters, strings.Join(letter, "\n"))
			p.mu.Unlock()
			fmt.Fprint(c, "250 taken\r\n")
		case line == "DATA":
			inside = true
			fmt.Fprint(c, "354 go on\r\n")
		case line == "QUIT":
			return
		case strings.HasPrefix(line, "RCPT TO:<nobody@"):
			fmt.Fprint(c, "550 5.1.1 no such mailbox\r\n")
		default:
			fmt.Fprint(c, "250 fine\r\n")
		}
	}
}

// TestEMailEndToEnd: a code goes out over a relay with its subject, is typed in, and the proof says that it was e-mail.
func TestEMailEndToEnd(t *testing.T) {
	box := newPostbox(t)
	i := serve(t, fmt.Sprintf(quiet+`
providers:
  post: {type: smtp, host: 127.0.0.1, port: %d, security: none, sender: '"Demo" <codes@shop.example>'}
apps:
  demo:
    routes: {email: [post]}
`, box.l.Addr().(*net.TCPAddr).Port))
	status, started := i.call("POST", "/v1/verifications", `{"to":"Ann@Example.com","channel":"email"}`)
	if status != http.StatusCreated || !strings.Contains(fmt.Sprint(started["deliveries"]), "provider:post status:accepted") {
		t.Fatalf("start: %d %v", status, started)
	}
	box.mu.Lock()
	letters := box.letters
	box.mu.Unlock()
	if len(letters) != 1 {
		t.Fatalf("%d letters", len(letters))
	}
	head, body, _ := strings.Cut(letters[0], "\n\n")
	code := regexp.MustCompile(`\b\d{6}\b`).FindString(body)
	if code == "" || !strings.Contains(head, "To: <ann@example.com>") || !regexp.MustCompile(`(?m)^Subject: \S`).MatchString(head) {
		t.Fatalf("the letter is\n%s", letters[0])
	}
	status, approved := i.call("POST", fmt.Sprintf("/v1/verifications/%s/checks", started["id"]), `{"code":"`+code+`"}`)
	if status != http.StatusOK || approved["proof"] == nil {
		t.Errorf("check: %d %v", status, approved)
	}
	if status, a := i.call("POST", "/v1/verifications", `{"to":"nobody@example.com","channel":"email"}`); status != http.StatusBadGateway || a["code"] != "delivery_failed" {
		t.Errorf("no such mailbox: %d %v", status, a)
	}
}
