package redisstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strings"
	"syscall"
)

// explain says of an error on the way to Redis what was tried and what to do, for the log and for doctor. What it does not
// know it passes on. The addresses are named without user and password.
func (t *target) explain(err error) error {
	at := strings.Join(t.addrs, ", ")
	var dialled *net.OpError
	if errors.As(err, &dialled) && dialled.Addr != nil {
		at = dialled.Addr.String() // of a cluster's nodes, the one
	}
	what := "Redis"
	if t.topology == sentinel {
		what = "Redis or a sentinel"
	}
	var name *net.DNSError
	var slow net.Error
	text := err.Error()
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("nothing listens at %s: start %s there, or correct redis_url (%w)", at, what, err)
	case t.network == "unix" && errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("there is no socket %s: start Redis with it, or correct redis_url (%w)", at, err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s may not be opened by this user: allow it, or correct redis_url (%w)", at, err)
	case errors.As(err, &name):
		return fmt.Errorf("DNS does not know %s: correct redis_url (%w)", name.Name, err)
	case strings.Contains(text, "WRONGPASS"), strings.Contains(text, "NOAUTH"):
		return fmt.Errorf("%s at %s does not take the user and password of redis_url (%w)", what, at, err)
	case strings.Contains(text, "NOPERM"):
		return fmt.Errorf("the user of redis_url lacks rights at %s: give it every key and command (ACL SETUSER name ~* &* +@all) (%w)", at, err)
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &slow) && slow.Timeout():
		return fmt.Errorf("%s at %s did not answer in time: is the address right, is it overloaded, does a firewall stand between (%w)", what, at, err)
	}
	return err
}
