package main

import (
	"context"
	"crypto/tls"
	"net"
)

// unixDial connects rueidis to a socket.
func unixDial(ctx context.Context, address string, _ *net.Dialer, _ *tls.Config) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "unix", address)
}
