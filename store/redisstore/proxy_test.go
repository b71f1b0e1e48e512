package redisstore

import (
	"bytes"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// proxy stands between the store and a server and makes faults.
type proxy struct {
	t        testing.TB
	listener net.Listener
	to       string

	mu      sync.Mutex
	down    bool
	delay   time.Duration // of every answer
	lose    int           // so many answers to scripts are thrown away, and the connection with them
	silent  bool          // answers are held back for ever
	lost    chan struct{} // told of each lost answer
	conns   map[net.Conn]struct{}
	running sync.WaitGroup
}

func startProxy(t testing.TB, to string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{t: t, listener: l, to: to, lost: make(chan struct{}, 16), conns: map[net.Conn]struct{}{}}
	p.running.Go(p.accept)
	t.Cleanup(func() {
		_ = l.Close()
		p.set(func() { p.down = true })
		p.running.Wait()
	})
	return p
}

func (p *proxy) url() string { return "redis://" + p.listener.Addr().String() }

// set changes the faults; what is open is closed when the proxy goes down.
func (p *proxy) set(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
	if p.down {
		for c := range p.conns {
			_ = c.Close()
		}
		clear(p.conns)
	}
}

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.to)
		if err != nil {
			_ = client.Close()
			continue
		}
		p.mu.Lock()
		down := p.down
		if !down {
			p.conns[client], p.conns[server] = struct{}{}, struct{}{}
		}
		p.mu.Unlock()
		if down {
			_, _ = client.Close(), server.Close()
			continue
		}
		var script atomic.Bool // the last question was one
		p.running.Go(func() {
			buffer := make([]byte, 64<<10)
			for {
				n, err := client.Read(buffer)
				if err != nil {
					break
				}
				script.Store(bytes.Contains(buffer[:n], []byte("EVAL")))
				if _, err := server.Write(buffer[:n]); err != nil {
					break
				}
			}
			_, _ = server.Close(), client.Close()
		})
		p.running.Go(func() {
			p.answers(client, server, &script)
			_, _ = server.Close(), client.Close()
		})
	}
}

// answers carries what the server says, with its faults.
func (p *proxy) answers(client, server net.Conn, script *atomic.Bool) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := server.Read(buffer)
		if err != nil {
			return
		}
		p.mu.Lock()
		delay, silent, lose := p.delay, p.silent, p.lose > 0 && script.Load()
		if lose {
			p.lose--
		}
		p.mu.Unlock()
		if lose {
			p.lost <- struct{}{}
			return
		}
		if silent {
			continue
		}
		if delay > 0 {
			time.Sleep(delay)
		}
		if _, err := client.Write(buffer[:n]); err != nil {
			return
		}
	}
}
