package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/captiond/captiond/configs"
	"github.com/captiond/captiond/frames/rtsp"
)

// twoNames is a resolver that knows two.
type twoNames struct{}

func (twoNames) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	switch host {
	case "here.example":
		return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
	case "wire.example":
		return []netip.Addr{netip.MustParseAddr("169.254.1.1")}, nil
	}
	return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
}

// A camera of a client is reached where its address may lead, judged each time it is dialled; a
// name without an address is a camera that is away, not one that refuses.
func TestCameraDial(t *testing.T) {
	t.Parallel()
	l, port := listening(t)
	for _, tt := range []struct {
		where, host string
		refused     bool
		want        string
	}{
		{"any", "here.example", false, ""}, {"local", "here.example", true, "loopback"}, {"public", "here.example", true, "loopback"},
		{"local", "wire.example", true, "link-local"}, {"any", "none.example", false, "has no address"}, {"local", "127.0.0.1", true, "loopback"},
		{"any", "127.0.0.1", false, ""}, {"public", "192.168.0.1", true, "private"},
	} {
		c := &cameras{policy: policy(configs.Config{}, tt.where)}
		c.policy.Resolver = twoNames{}
		conn, err := c.dial(t.Context(), "tcp", net.JoinHostPort(tt.host, port))
		if err == nil {
			_ = conn.Close()
		}
		_, refused := errors.AsType[*rtsp.RefusedError](err)
		if refused != tt.refused || !strings.Contains(fmt.Sprint(err), tt.want) || (err == nil) != (tt.want == "") {
			t.Errorf("%s, %s: %v", tt.where, tt.host, err)
		}
	}
	own := &cameras{policy: policy(configs.Config{NATS: configs.NATS{Listen: l.Addr().String()}}, "any")}
	if _, err := own.dial(t.Context(), "tcp", l.Addr().String()); err == nil || !strings.Contains(err.Error(), "does not connect to itself") {
		t.Errorf("the daemon's own door: %v", err)
	}
}
