package smtp_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// certificate makes one for localhost and 127.0.0.1, and the pool that trusts it.
func certificate(t testing.TB) (certPEM, keyPEM []byte, trusting *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "relay.test"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certPEM = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(certPEM)
	return certPEM, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), &tls.Config{RootCAs: pool}
}

// exim is a real mail server: Exim 4 with a configuration and a spool of its own, as a process of its own. It takes mail
// from who is logged in over TLS and keeps it in its queue, where a test reads what arrived.
type exim struct {
	port  int
	spool string
	trust *tls.Config
}

const eximConfiguration = `
primary_hostname = relay.test
spool_directory = %[1]s/spool
log_file_path = %[1]s/spool/%%slog
pid_file_path = %[1]s/spool/pid
local_interfaces = <; 127.0.0.1
daemon_smtp_ports = %[2]d
tls_on_connect_ports =
tls_advertise_hosts = *
tls_certificate = %[1]s/cert.pem
tls_privatekey = %[1]s/key.pem
auth_advertise_hosts = ${if eq{$tls_in_cipher}{}{}{*}}
host_lookup =
rfc1413_query_timeout = 0s
queue_only
smtp_accept_max = 50
smtp_receive_timeout = 20s
acl_smtp_mail = acl_mail
acl_smtp_rcpt = acl_rcpt
acl_smtp_data = acl_data
begin acl
acl_mail:
  deny senders = thief@shop.example
       message = 5.7.1 not your sender
  accept
acl_rcpt:
  deny !encrypted = *
       message = 5.7.0 TLS first
  deny !authenticated = *
       message = 5.7.1 relaying denied
  deny local_parts = nobody
       message = 5.1.1 no mailbox $local_part@$domain here
  deny local_parts = full
       message = 5.2.2 mailbox full
  defer local_parts = later
       message = 4.2.1 try again
  accept
acl_data:
  deny condition = ${if match{$h_subject:}{refuse this}}
       message = 5.7.1 content refused
  accept
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_condition = ${if and{{eq{$auth2}{codes}}{eq{$auth3}{s3cret}}}}
  server_set_id = $auth2
`

func startExim(t *testing.T) *exim {
	t.Helper()
	binary, err := exec.LookPath("exim4")
	if err != nil {
		if binary, err = exec.LookPath("/usr/sbin/exim4"); err != nil {
			t.Fatal("exim4 is missing: . scripts/test-tools")
		}
	}
	dir := t.TempDir()
	open := func(path string) {
		// Started by root, Exim becomes its own user.
		if err := os.Chmod(path, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	open(filepath.Dir(dir))
	open(dir)
	e := &exim{spool: filepath.Join(dir, "spool")}
	if err := os.Mkdir(e.spool, 0o777); err != nil {
		t.Fatal(err)
	}
	open(e.spool)
	cert, key, trust := certificate(t)
	e.trust = trust
	e.port = freePort(t)
	conf := filepath.Join(dir, "exim.conf")
	for name, text := range map[string][]byte{"cert.pem": cert, "key.pem": key, "exim.conf": fmt.Appendf(nil, eximConfiguration, dir, e.port)} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var said strings.Builder
	cmd := exec.Command(binary, "-C", conf, "-bdf")
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
	})
	for {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", e.port))
		if err == nil {
			c.Close()
			return e
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("exim4 ended: %v\n%s", err, said.String())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// queued gives every message in the queue: envelope and headers (-H), and body (-D).
func (e *exim) queued(t *testing.T) (list []string) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(e.spool, "input", "*-H"))
	if err != nil {
		t.Fatal(err)
	}
	more, _ := filepath.Glob(filepath.Join(e.spool, "input", "*", "*-H"))
	for _, name := range append(names, more...) {
		head, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		body, err := os.ReadFile(strings.TrimSuffix(name, "-H") + "-D")
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, string(head)+"\n--body--\n"+string(body))
	}
	return list
}

// script is a server that says what a test wrote for each command, over a real socket. The steps stand for what a real
// server does only when it is ill.
type script struct {
	addr   *net.TCPAddr
	tls    *tls.Config
	answer func(s *script, conn net.Conn, line string) (reply string)

	mu      sync.Mutex
	lines   []string
	letters []string
	wg      sync.WaitGroup
}

// hangUp as a reply closes the connection, silence keeps it.
const (
	hangUp  = "\x00hang up"
	silence = "\x00silence"
)

func startScript(t testing.TB, answer func(s *script, conn net.Conn, line string) string) *script {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &script{addr: l.Addr().(*net.TCPAddr), answer: answer}
	ended := make(chan struct{})
	var conns sync.Map
	go func() {
		defer close(ended)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			conns.Store(c, true)
			s.wg.Go(func() {
				defer c.Close()
				s.serve(c)
			})
		}
	}()
	t.Cleanup(func() {
		l.Close()
		conns.Range(func(c, _ any) bool {
			c.(net.Conn).Close()
			return true
		})
		<-ended
		s.wg.Wait()
	})
	return s
}

func (s *script) serve(c net.Conn) {
	in := bufio.NewReader(c)
	line := "(greeting)"
	for {
		reply := s.answer(s, c, line)
		switch {
		case reply == "":
			reply = ordinary(line)
		case reply == hangUp:
			return
		}
		if reply == silence {
			_, _ = in.ReadByte() // until the client gives up
			return
		}
		if _, err := fmt.Fprintf(c, "%s\r\n", reply); err != nil {
			return
		}
		if line == "STARTTLS" && strings.HasPrefix(reply, "220") {
			if s.tls == nil {
				return
			}
			secured := tls.Server(c, s.tls)
			c, in = secured, bufio.NewReader(secured)
		}
		if strings.HasPrefix(reply, "354") {
			var letter strings.Builder
			for {
				text, err := in.ReadString('\n')
				if err != nil {
					return
				}
				if text == ".\r\n" {
					break
				}
				letter.WriteString(text)
			}
			s.mu.Lock()
			s.letters = append(s.letters, letter.String())
			s.mu.Unlock()
			line = "(end)"
			continue
		}
		text, err := in.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimRight(text, "\r\n")
		s.mu.Lock()
		s.lines = append(s.lines, line)
		s.mu.Unlock()
	}
}

func (s *script) said() ([]string, []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.lines...), append([]string(nil), s.letters...)
}

// ordinary is what a healthy server says.
func ordinary(line string) string {
	switch verb, _, _ := strings.Cut(line, " "); verb {
	case "(greeting)":
		return "220 relay.test ESMTP"
	case "EHLO":
		return "250-relay.test\r\n250-ENHANCEDSTATUSCODES\r\n250 8BITMIME"
	case "DATA":
		return "354 go on"
	case "(end)":
		return "250 2.0.0 queued"
	case "QUIT":
		return "221 bye"
	}
	return "250 2.0.0 fine"
}
