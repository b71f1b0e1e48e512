package smpp_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fiorix/go-smpp/smpp/pdu"
	"github.com/fiorix/go-smpp/smpp/pdu/pdufield"
	"github.com/fiorix/go-smpp/smpp/pdu/pdutlv"
	"go.uber.org/goleak"
)

// The SMSC of these tests is a process of its own, and its PDUs are another project's (fiorix/go-smpp): neither shares a
// line with the client. What it does with a message is decided by the last four digits of the recipient.

const smscVariable = "COUNTERSIGN_TEST_SMSC" // address|certificate|key: run as the SMSC

func TestMain(m *testing.M) {
	if setting := os.Getenv(smscVariable); setting != "" {
		runSMSC(setting)
		return
	}
	goleak.VerifyTestMain(m)
}

// received is what the SMSC tells of a submit, one line of JSON each on its standard output.
type received struct {
	To, From, Text, Validity               string
	Class, Coding, Registered, TON, NPI    int
	Bound, Unbound, Replied, DeliverStatus int
	Waiting                                int // submits that had no answer when this one came
}

type smscServer struct {
	out     sync.Mutex
	ids     atomic.Int64
	waiting atomic.Int64
	later   []func(*link) // under out
}

func (s *smscServer) tell(r received) {
	s.out.Lock()
	defer s.out.Unlock()
	b, _ := json.Marshal(r)
	fmt.Println(string(b))
}

func runSMSC(setting string) {
	part := strings.Split(setting, "|")
	l, err := net.Listen("tcp", part[0])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if part[1] != "" {
		pair, err := tls.LoadX509KeyPair(part[1], part[2])
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{pair}})
	}
	s := &smscServer{}
	s.ids.Store(1000)
	fmt.Println(l.Addr())
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go s.serve(c)
	}
}

// link is one client.
type link struct {
	net.Conn
	mu sync.Mutex
}

func (l *link) send(p pdu.Body, seq uint32, status pdu.Status) {
	p.Header().Seq, p.Header().Status = seq, status
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = p.SerializeTo(l.Conn)
}

func (s *smscServer) serve(c net.Conn) {
	defer c.Close()
	l := &link{Conn: c}
	in := bufio.NewReader(c)
	for {
		p, err := pdu.Decode(in)
		if err != nil {
			return
		}
		f := p.Fields()
		switch p.Header().ID {
		case pdu.BindTransceiverID:
			answer := pdu.NewBindTransceiverResp()
			_ = answer.Fields().Set(pdufield.SystemID, "smsc")
			switch {
			case f[pdufield.SystemID].String() == "barred":
				l.send(answer, p.Header().Seq, 0x0d)
			case f[pdufield.Password].String() != "s3cret":
				l.send(answer, p.Header().Seq, 0x0e)
			default:
				l.send(answer, p.Header().Seq, 0)
				s.tell(received{Bound: 1})
				s.deliverLater(l)
				continue
			}
			return
		case pdu.EnquireLinkID:
			l.send(pdu.NewEnquireLinkResp(), p.Header().Seq, 0)
		case pdu.UnbindID:
			l.send(pdu.NewUnbindResp(), p.Header().Seq, 0)
			s.tell(received{Unbound: 1})
			return
		case pdu.DeliverSMRespID:
			s.tell(received{Replied: 1, DeliverStatus: int(p.Header().Status)})
			if p.Header().Status != 0 { // as an SMSC does, later
				time.AfterFunc(50*time.Millisecond, func() { s.again(l) })
			}
		case pdu.SubmitSMID:
			s.submit(l, p)
		}
	}
}

// newDelivery makes a deliver_sm without the octet that the library writes for the length of a user data header even where
// there is none.
func newDelivery() pdu.Body {
	d := pdu.NewDeliverSM()
	d.Fields()[pdufield.UDHLength] = &pdufield.SM{}
	return d
}

// deliverLater sends what waited for the next session.
func (s *smscServer) deliverLater(l *link) {
	s.out.Lock()
	later := s.later
	s.later = nil
	s.out.Unlock()
	for _, send := range later {
		send(l)
	}
}

var lastReceipt sync.Map // of a link: the deliver_sm that may come again

func (s *smscServer) again(l *link) {
	if again, ok := lastReceipt.Load(l); ok {
		again.(func())()
	}
}

func octetOf(f pdufield.Map, name pdufield.Name) int {
	v, _ := f[name].Raw().(uint8)
	return int(v)
}

func (s *smscServer) submit(l *link, p pdu.Body) {
	f := p.Fields()
	to, text := f[pdufield.DestinationAddr].String(), f[pdufield.ShortMessage].Bytes()
	s.tell(received{
		To: to, From: f[pdufield.SourceAddr].String(), Text: hex.EncodeToString(text), Validity: f[pdufield.ValidityPeriod].String(),
		Class: octetOf(f, pdufield.ESMClass), Coding: octetOf(f, pdufield.DataCoding), Registered: octetOf(f, pdufield.RegisteredDelivery),
		TON: octetOf(f, pdufield.SourceAddrTON), NPI: octetOf(f, pdufield.SourceAddrNPI), Waiting: int(s.waiting.Load()),
	})
	seq, id := p.Header().Seq, s.ids.Add(1)
	ref := fmt.Sprintf("%d", id)
	answer := func(status pdu.Status) {
		r := pdu.NewSubmitSMResp()
		_ = r.Fields().Set(pdufield.MessageID, ref)
		l.send(r, seq, status)
	}
	receiptBy := func(l *link, number, ref, stat string, seq uint32, tlv bool) {
		d := newDelivery()
		_ = d.Fields().Set(pdufield.SourceAddr, number)
		_ = d.Fields().Set(pdufield.DestinationAddr, "Shop")
		_ = d.Fields().Set(pdufield.ESMClass, 4)
		_ = d.Fields().Set(pdufield.ShortMessage, "id:"+ref+" sub:001 dlvrd:001 submit date:2701150800 done date:2701150801 stat:"+stat+" err:045 text:id:1 stat:DELIVRD")
		if tlv {
			_ = d.Fields().Set(pdufield.ShortMessage, "")
			d.TLVFields()[pdutlv.TagReceiptedMessageID] = &pdutlv.Field{Tag: pdutlv.TagReceiptedMessageID, Data: append([]byte(ref), 0)}
			d.TLVFields()[pdutlv.TagMessageStateOption] = &pdutlv.Field{Tag: pdutlv.TagMessageStateOption, Data: []byte{2}}
		}
		send := func() { l.send(d, seq, 0) }
		lastReceipt.Store(l, send)
		send()
	}
	receipt := func(number, ref, stat string, seq uint32, tlv bool) { receiptBy(l, number, ref, stat, seq, tlv) }
	registered := octetOf(f, pdufield.RegisteredDelivery) == 1
	switch to[len(to)-4:] {
	case "0201":
		answer(0x0b)
	case "0202":
		answer(0x58)
	case "0203": // never an answer
	case "0204":
		l.Close()
	case "0205": // the receipt is faster than the answer
		receipt(to, ref, "DELIVRD", 900, false)
		answer(0)
	case "0206":
		answer(0)
		receipt(to, ref, "UNDELIV", 901, false)
	case "0207":
		_, _ = l.Write([]byte("HTTP/1.1 200 OK\r\n\r\n<html>" + strings.Repeat("x", 100)))
	case "0208":
		answer(0x410)
	case "0209": // a receipt of another message under the number of this submit, before its answer
		receipt("14155550999", "77", "DELIVRD", seq, false)
		answer(0x0b)
	case "0210": // hexadecimal here, decimal there
		ref = fmt.Sprintf("%08X", id)
		answer(0)
		receipt(to, fmt.Sprintf("%d", id), "DELIVRD", 902, false)
	case "0211":
		answer(0)
		d := newDelivery()
		_ = d.Fields().Set(pdufield.SourceAddr, to)
		_ = d.Fields().Set(pdufield.DestinationAddr, "Shop")
		_ = d.Fields().Set(pdufield.ShortMessage, "Stop")
		l.send(d, 903, 0)
	case "0212": // somebody else's number under this message's id
		answer(0)
		receipt("14155550998", ref, "DELIVRD", 904, false)
	case "0213":
		answer(0)
		receipt(to, ref, "", 905, true)
	case "0214": // a receipt twice, and then an older state
		answer(0)
		receipt(to, ref, "DELIVRD", 906, false)
		receipt(to, ref, "DELIVRD", 907, false)
		receipt(to, ref, "ENROUTE", 908, false)
	case "0217": // the receipt comes over the next session, with the id in another form
		answer(0)
		s.out.Lock()
		s.later = append(s.later, func(l *link) { receiptBy(l, to, fmt.Sprintf("%08X", id), "DELIVRD", 909, false) })
		s.out.Unlock()
	case "0215":
		ref = ""
		answer(0)
	case "0216": // slow, to see the window
		s.waiting.Add(1)
		time.AfterFunc(100*time.Millisecond, func() {
			s.waiting.Add(-1)
			answer(0)
		})
	default:
		answer(0)
		if registered {
			receipt(to, ref, "DELIVRD", 909, false)
		}
	}
}

// smsc is the process, as the tests see it.
type smsc struct {
	addr  *net.TCPAddr
	trust *tls.Config
	cmd   *exec.Cmd

	mu    sync.Mutex
	lines []received
	done  chan struct{}
}

// startSMSC starts the process; at is its address, "127.0.0.1:0" for any.
func startSMSC(t testing.TB, at string, secured bool) *smsc {
	t.Helper()
	s := &smsc{done: make(chan struct{})}
	files := "|"
	if secured {
		cert, key := filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
		s.trust = writeCertificate(t, cert, key)
		files = cert + "|" + key
	}
	s.cmd = exec.Command(os.Args[0])
	s.cmd.Env = append(os.Environ(), smscVariable+"="+at+"|"+files)
	s.cmd.Stderr = os.Stderr
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatal("the SMSC did not start")
	}
	if s.addr, err = net.ResolveTCPAddr("tcp", lines.Text()); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(s.done)
		for lines.Scan() {
			var r received
			if json.Unmarshal(lines.Bytes(), &r) == nil {
				s.mu.Lock()
				s.lines = append(s.lines, r)
				s.mu.Unlock()
			}
		}
	}()
	t.Cleanup(s.kill)
	return s
}

func (s *smsc) kill() {
	_ = s.cmd.Process.Kill()
	<-s.done
	_ = s.cmd.Wait()
}

func (s *smsc) all() []received {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]received(nil), s.lines...)
}

// submits are what went to a number.
func (s *smsc) submits(to string) (list []received) {
	for _, r := range s.all() {
		if r.To == strings.TrimPrefix(to, "+") {
			list = append(list, r)
		}
	}
	return list
}

func (s *smsc) count(of func(received) int) (n int) {
	for _, r := range s.all() {
		n += of(r)
	}
	return n
}

func writeCertificate(t testing.TB, certFile, keyFile string) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "smsc.test"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	for name, b := range map[string][]byte{certFile: cert, keyFile: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})} {
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(cert)
	return &tls.Config{RootCAs: pool}
}
