package main

import (
	"net"
	"testing"

	"github.com/captiond/captiond/configs"
)

// However a door of the daemon's own is written, the address of a client does not lead to it.
func TestOwnDoors(t *testing.T) {
	t.Parallel()
	l, port := listening(t)
	for _, host := range []string{"", "0.0.0.0", "[::]", "127.0.0.1", "localhost", "captiond.example.org"} {
		c := configs.Default()
		c.HTTP.Listen = host + ":" + port
		if conn, err := policy(c, "any").DialContext(t.Context(), "tcp", l.Addr().String()); err == nil {
			_ = conn.Close()
			t.Errorf("%s is reached", c.HTTP.Listen)
		}
	}
	conn, err := policy(configs.Default(), "any").DialContext(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
}

// listening takes a free port of the loopback interface until the test ends.
func listening(t *testing.T) (l net.Listener, port string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	if _, port, err = net.SplitHostPort(l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	return l, port
}
