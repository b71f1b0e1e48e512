package smtp

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"
)

// maxAnswer bounds what is read of a relay in one transaction, its certificates included.
const maxAnswer = 64 << 10

var errLong = errors.New("the relay's answers are longer than 64 KiB")

// watched is a connection that ends with a context, whoever else sets deadlines, and reads no more than maxAnswer.
type watched struct {
	net.Conn
	left int64
	stop func() bool

	mu   sync.Mutex
	long bool
}

func watch(ctx context.Context, c net.Conn) *watched {
	w := &watched{Conn: c, left: maxAnswer}
	if at, ok := ctx.Deadline(); ok {
		_ = c.SetDeadline(at)
	}
	w.stop = context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	return w
}

// Read implements net.Conn.
func (w *watched) Read(b []byte) (int, error) {
	if w.left <= 0 {
		w.mu.Lock()
		w.long = true
		w.mu.Unlock()
		return 0, errLong
	}
	if int64(len(b)) > w.left {
		b = b[:w.left]
	}
	n, err := w.Conn.Read(b)
	w.left -= int64(n)
	return n, err
}

// SetDeadline implements net.Conn: the context's deadline stays.
func (w *watched) SetDeadline(time.Time) error { return nil }

// SetReadDeadline implements net.Conn.
func (w *watched) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline implements net.Conn.
func (w *watched) SetWriteDeadline(time.Time) error { return nil }

// hasty leaves the rest of the conversation a moment.
func (w *watched) hasty(d time.Duration) { _ = w.Conn.SetDeadline(time.Now().Add(d)) }

// Close implements net.Conn.
func (w *watched) Close() error {
	w.stop()
	return w.Conn.Close()
}
