package smpp

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// This file is one bound session: who writes, who waits for which answer, and when it is over.

// session is a connection that is bound.
type session struct {
	p    *Provider
	conn net.Conn

	writing sync.Mutex
	seq     atomic.Uint32
	heard   atomic.Int64 // when something came last, in nanoseconds of the monotonic clock since begun
	begun   time.Time

	mu      sync.Mutex
	waiting map[uint32]chan *pdu
	submits map[uint32]sent // what a submit's answer will name

	deliveries chan *pdu
	over       chan struct{} // closed when the session has ended
	end        sync.Once
}

var (
	errOver   = errors.New("the session has ended")
	errUnbind = errors.New("the SMSC ended the session")
	errDumb   = errors.New("the SMSC does not answer enquire_link")
)

// statusError is an SMSC's refusal.
type statusError uint32

// Error implements error.
func (s statusError) Error() string { return fmt.Sprintf("command status 0x%02x", uint32(s)) }

// connect opens a connection and binds.
func (p *Provider) connect(ctx context.Context) (*session, error) {
	ctx, cancel := context.WithTimeout(ctx, p.cfg.Timeout)
	defer cancel()
	address := net.JoinHostPort(p.cfg.Host, strconv.Itoa(p.cfg.Port))
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	if p.cfg.TLS {
		cfg := &tls.Config{}
		if p.cfg.RootCAs != nil {
			cfg = p.cfg.RootCAs.Clone()
		}
		cfg.ServerName, cfg.MinVersion = p.cfg.Host, tls.VersionTLS12
		secured := tls.Client(conn, cfg)
		if err := secured.HandshakeContext(ctx); err != nil {
			conn.Close()
			return nil, err
		}
		conn = secured
	}
	s := &session{
		p: p, conn: conn, begun: time.Now(), waiting: map[uint32]chan *pdu{}, submits: map[uint32]sent{},
		deliveries: make(chan *pdu, 64), over: make(chan struct{}),
	}
	if err := s.bind(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return s, nil
}

// bind says who we are, before anything else is read.
func (s *session) bind(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { _ = s.conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if err := s.write(&pdu{id: bindTransceiver, seq: s.seq.Add(1), body: bindBody(&s.p.cfg)}); err != nil {
		return err
	}
	answer, err := readPDU(s.conn)
	switch {
	case err != nil:
		return err
	case answer.id != bindTransceiverResp && answer.id != genericNack:
		return errPDU
	case answer.status != statusOK:
		return statusError(answer.status)
	case answer.id == genericNack:
		return errPDU
	}
	if !stop() {
		return ctx.Err()
	}
	return s.conn.SetDeadline(time.Time{})
}

// writeTime bounds a write to an SMSC that reads no more.
const writeTime = 2 * time.Second

func (s *session) write(p *pdu) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := s.conn.SetWriteDeadline(time.Now().Add(writeTime)); err != nil {
		return err
	}
	_, err := s.conn.Write(p.bytes())
	return err
}

// close ends the session for everybody who waits.
func (s *session) close() {
	s.end.Do(func() {
		close(s.over)
		s.conn.Close()
	})
}

// serve reads until the session ends, and says why it did.
func (s *session) serve(ctx context.Context) error {
	var all sync.WaitGroup
	defer all.Wait()
	defer s.close()
	all.Go(s.deliver)
	ended := make(chan error, 1)
	all.Go(func() { ended <- s.enquire(ctx) })
	in := bufio.NewReaderSize(s.conn, 4<<10)
	for {
		p, err := readPDU(in)
		if err != nil {
			s.close()
			if why := <-ended; why != nil {
				return why
			}
			return err
		}
		s.heard.Store(int64(time.Since(s.begun)))
		if err := s.take(p); err != nil {
			s.close()
			<-ended
			return err
		}
	}
}

// enquire asks after a silent SMSC, and says goodbye when the context ends.
func (s *session) enquire(ctx context.Context) error {
	tick := time.NewTicker(s.p.cfg.Enquire)
	defer tick.Stop()
	for {
		select {
		case <-s.over:
			return nil
		case <-ctx.Done():
			s.goodbye()
			return ctx.Err()
		case <-tick.C:
		}
		if time.Since(s.begun)-time.Duration(s.heard.Load()) < s.p.cfg.Enquire {
			continue
		}
		asking, cancel := context.WithTimeout(ctx, s.p.cfg.Timeout)
		_, written, err := s.ask(asking, enquireLink, nil, nil)
		cancel()
		if err != nil && ctx.Err() == nil {
			s.close()
			if written && errors.Is(err, context.DeadlineExceeded) {
				return errDumb
			}
			return err
		}
	}
}

func (s *session) goodbye() {
	asking, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
	defer cancel()
	_, _, _ = s.ask(asking, unbind, nil, nil)
	s.close()
}

// ask writes a request and waits for its answer. written is false when the SMSC cannot have it. A submit's answer is
// entered into the memory by who reads it, so that a receipt behind it finds its message.
func (s *session) ask(ctx context.Context, id uint32, body []byte, about *sent) (answer *pdu, written bool, err error) {
	seq := s.seq.Add(1) & 0x7fffffff
	came := make(chan *pdu, 1)
	s.mu.Lock()
	s.waiting[seq] = came
	if about != nil {
		s.submits[seq] = *about
	}
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.waiting, seq)
		delete(s.submits, seq)
		s.mu.Unlock()
	}()
	select {
	case <-s.over:
		return nil, false, errOver
	case <-ctx.Done():
		return nil, false, ctx.Err()
	default:
	}
	if err := s.write(&pdu{id: id, seq: seq, body: body}); err != nil {
		s.close() // half a PDU may be out: nothing that follows would be understood
		return nil, true, err
	}
	select {
	case answer := <-came:
		return answer, true, nil
	case <-s.over:
		select {
		case answer := <-came: // it came just before the end
			return answer, true, nil
		default:
		}
		return nil, true, errOver
	case <-ctx.Done():
		return nil, true, ctx.Err()
	}
}

// take handles one PDU. Answers belong to our sequence numbers; the SMSC's requests have numbers of its own.
func (s *session) take(p *pdu) error {
	if p.id&response != 0 {
		s.answered(p)
		return nil
	}
	switch p.id {
	case enquireLink:
		return s.write(&pdu{id: enquireLinkResp, seq: p.seq})
	case unbind:
		_ = s.write(&pdu{id: unbindResp, seq: p.seq})
		return errUnbind
	case deliverSM:
		select {
		case s.deliveries <- p:
			return nil
		default: // more than can be kept now
			return s.write(&pdu{id: deliverSMResp, status: statusTemporary, seq: p.seq, body: []byte{0}})
		}
	}
	return s.write(&pdu{id: genericNack, status: statusInvalidID, seq: p.seq})
}

func (s *session) answered(p *pdu) {
	s.mu.Lock()
	came, known := s.waiting[p.seq]
	about, submit := s.submits[p.seq]
	delete(s.waiting, p.seq)
	s.mu.Unlock()
	if !known {
		return
	}
	if submit && p.id == submitSMResp && p.status == statusOK {
		if ref, ok := messageID(p.body); ok && about.verification != "" {
			about.ref = ref
			s.p.remember(about)
		}
	}
	came <- p
}

// messageID reads the id in a submit's answer.
func messageID(body []byte) (string, bool) {
	f := &fields{b: body, ok: true}
	id := f.text(65)
	return id, f.ok && id != "" && octets(id, 1, 64)
}

// unanswered says whether a submit waits for its answer.
func (s *session) unanswered() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.submits) > 0
}

// deliver hands on what the SMSC delivers, one after the other. It is answered when it is kept: what is not, the SMSC
// delivers again.
func (s *session) deliver() {
	for {
		select {
		case <-s.over:
			return
		case p := <-s.deliveries:
			status := uint32(statusOK)
			if err := s.p.handle(p.body, s.unanswered()); err != nil {
				status = statusTemporary
			}
			if err := s.write(&pdu{id: deliverSMResp, status: status, seq: p.seq, body: []byte{0}}); err != nil {
				s.close()
				return
			}
		}
	}
}
