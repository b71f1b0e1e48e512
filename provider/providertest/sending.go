package providertest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"countersign"
)

// This file is about vendors that answer: they take a message, refuse it, or are not there at all.

// accepting answers as the vendor does and remembers each id it gave.
func (s *Subject) accepting(refs *sync.Map) Answer {
	return func(w http.ResponseWriter, r *http.Request, body []byte) {
		refs.Store(s.Accept(w, r, body), true)
	}
}

func (s *Subject) takes() error {
	var refs sync.Map
	c, p, end, err := s.meet(s.accepting(&refs))
	if err != nil {
		return err
	}
	defer end()
	h, _, err := send(p, s.Message(1), sendTime)
	if err != nil {
		return fmt.Errorf("the vendor took the message: %w", err)
	}
	if _, ok := refs.Load(h.Ref); !ok || h.Ref == "" {
		return fmt.Errorf("the ref %q is not the vendor's", h.Ref)
	}
	if h.Status != "" && h.Status.Rank() < countersign.DeliveryAccepted.Rank() {
		return fmt.Errorf("the status is %q", h.Status)
	}
	return once(c)
}

func once(c *Carrier) error {
	if n := len(c.Requests()); n != 1 {
		return fmt.Errorf("the vendor got %d requests for one send", n)
	}
	return nil
}

func (s *Subject) many() error {
	const sends = 32
	var refs, seen sync.Map
	_, p, end, err := s.meet(s.accepting(&refs))
	if err != nil {
		return err
	}
	defer end()
	faults := make(chan error, 2*sends)
	var all sync.WaitGroup
	for i := range sends {
		all.Go(func() {
			h, _, err := send(p, s.Message(i), sendTime)
			if err != nil {
				faults <- err
				return
			}
			if _, mine := refs.Load(h.Ref); !mine {
				faults <- fmt.Errorf("the ref %q is not the vendor's", h.Ref)
			}
			if _, twice := seen.LoadOrStore(h.Ref, true); twice {
				faults <- fmt.Errorf("two messages have the ref %q", h.Ref)
			}
		})
	}
	all.Wait()
	close(faults)
	return <-faults
}

func (s *Subject) reuses() error {
	const sends = 20
	var refs sync.Map
	c, p, end, err := s.meet(s.accepting(&refs))
	if err != nil {
		return err
	}
	defer end()
	for i := range sends {
		if _, _, err := send(p, s.Message(i), sendTime); err != nil {
			return err
		}
	}
	if n := c.Conns(); n > 3 {
		return fmt.Errorf("%d connections for %d sends, one after the other", n, sends)
	}
	return nil
}

func (s *Subject) refusal(r Refusal) Case {
	return Case{"refuses: " + r.Name, func() error {
		m := s.Message(2)
		c, p, end, err := s.meet(r.Answer)
		if err != nil {
			return err
		}
		defer end()
		_, _, err = send(p, m, sendTime)
		if err := wants(err, m, r.Class); err != nil {
			return err
		}
		return once(c)
	}}
}

func (s *Subject) refusedConnection() error {
	// A port that was just free and is closed again.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	address := "http://" + l.Addr().String()
	if err := l.Close(); err != nil {
		return err
	}
	p, err := s.New(address)
	if err != nil {
		return err
	}
	m := s.Message(3)
	_, took, err := send(p, m, sendTime)
	if took > lateness {
		return fmt.Errorf("a refused connection took %s", took)
	}
	return wants(err, m, countersign.FailTemporary)
}

func (s *Subject) canceled() error {
	var refs sync.Map
	c, p, end, err := s.meet(s.accepting(&refs))
	if err != nil {
		return err
	}
	defer end()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	m := s.Message(4)
	_, err = p.Send(ctx, m)
	if err := wants(err, m, countersign.FailTemporary, countersign.FailUnknown); err != nil {
		return err
	}
	if len(c.Requests()) > 0 {
		return errors.New("the message went out after its context had ended")
	}
	return nil
}

func (s *Subject) redirect() error {
	var followed atomic.Bool
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		followed.Store(true)
		s.Accept(w, r, nil)
	}))
	defer elsewhere.Close()
	_, p, end, err := s.meet(func(w http.ResponseWriter, r *http.Request, _ []byte) {
		http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
	})
	if err != nil {
		return err
	}
	defer end()
	m := s.Message(5)
	_, _, err = send(p, m, sendTime)
	if followed.Load() {
		return errors.New("the code went to where the vendor's answer pointed")
	}
	return wants(err, m, countersign.FailOperator, countersign.FailTemporary, countersign.FailUnknown)
}

// probes: the door opens to whom the vendor knows, stays shut to whom it does not, and nothing is sent through it.
func (s *Subject) probes() error {
	for _, c := range []struct {
		name   string
		answer Answer
		class  countersign.FailureClass
		opens  bool
	}{
		{"the vendor's answer", s.Probe, 0, true},
		{"status 401", status(http.StatusUnauthorized, `{"error":"who"}`), countersign.FailOperator, false},
		{"status 503", status(http.StatusServiceUnavailable, `{"error":"later"}`), countersign.FailTemporary, false},
		{"silence", silence, countersign.FailUnknown, false},
	} {
		if err := s.probe(c.answer, c.class, c.opens); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	return nil
}

func (s *Subject) probe(answer Answer, class countersign.FailureClass, opens bool) error {
	c, p, end, err := s.meet(answer)
	if err != nil {
		return err
	}
	defer end()
	prober, ok := p.(Prober)
	if !ok {
		return errors.New("the provider has no Probe")
	}
	limit := sendTime
	if class == countersign.FailUnknown && !opens {
		limit = 300 * time.Millisecond
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	if err := prober.Probe(ctx); opens && err != nil {
		return err
	} else if !opens {
		if err := wants(err, s.Message(9), class); err != nil {
			return err
		}
	}
	for _, r := range c.Requests() {
		if strings.Contains(string(r.Body), s.Message(9).Text) {
			return errors.New("a message was sent")
		}
	}
	return nil
}
