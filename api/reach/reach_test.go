package reach_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/captiond/captiond/api"
	"github.com/captiond/captiond/api/reach"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// names is a resolver that gives each name its answers one after another, the last for ever.
type names struct {
	answers map[string][]string // addresses of one answer are separated by spaces
	asked   []string
}

func (n *names) LookupNetIP(_ context.Context, _, host string) (found []netip.Addr, err error) {
	n.asked = append(n.asked, host)
	all := n.answers[host]
	if len(all) == 0 {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	if len(all) > 1 {
		n.answers[host] = all[1:]
	}
	for _, a := range strings.Fields(all[0]) {
		found = append(found, netip.MustParseAddr(a))
	}
	return found, nil
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	const never, everyone, cameras, here, wire = "never", "everyone", "private", "loopback", "link-local"
	allowed := map[string]reach.Policy{
		everyone: reach.Public(), cameras: reach.Local(), here: {Loopback: true}, wire: {LinkLocal: true},
	}
	for address, who := range map[string]string{
		"1.1.1.1": everyone, "93.184.215.14": everyone, "172.15.255.255": everyone, "172.32.0.0": everyone, "100.63.255.255": everyone,
		"100.128.0.0": everyone, "192.167.0.1": everyone, "169.253.0.1": everyone, "198.20.0.1": everyone, "2606:4700::1111": everyone,
		"2a00:1450::1": everyone, "::ffff:1.1.1.1": everyone, "64:ff9b::101:101": everyone, "2002:101:101::1": everyone,
		"10.0.0.1": cameras, "172.16.0.1": cameras, "172.31.255.254": cameras, "192.168.1.64": cameras, "100.64.0.1": cameras,
		"fd12:3456::1": cameras, "fec0::1": cameras, "::ffff:192.168.0.1": cameras, "64:ff9b::c0a8:1": cameras, "2002:c0a8:1::1": cameras,
		"127.0.0.1": here, "127.255.255.254": here, "::1": here, "::ffff:127.0.0.1": here, "64:ff9b::7f00:1": here, "2002:7f00:1::": here,
		"2001:0:101:101::80ff:fffe": here, "2001:0:7f00:1::fefe:fefe": here, "2606:4700::5efe:127.0.0.1": here, "2606:4700::200:5efe:7f00:1": here,
		"169.254.1.1": wire, "169.254.169.254": wire, "fe80::1": wire, "::ffff:169.254.169.254": wire, "64:ff9b::a9fe:a9fe": wire,
		"fd00:ec2::254": wire, "fd20:ce::254": wire, "100.100.100.200": wire, "168.63.129.16": wire, "192.0.0.192": wire, "2002:a9fe:a9fe::": wire,
		"0.0.0.0": never, "0.1.2.3": never, "::": never, "224.0.0.1": never, "239.255.255.250": never, "ff02::1": never, "255.255.255.255": never,
		"240.0.0.1": never, "192.0.2.10": never, "198.51.100.1": never, "203.0.113.9": never, "2001:db8::1": never, "3fff::1": never,
		"198.18.0.1": never, "198.19.255.255": never, "192.0.0.8": never, "::127.0.0.1": never, "::ffff:0:127.0.0.1": never,
		"64:ff9b:1::7f00:1": never, "100::1": never, "5f00::1": never, "::ffff:0.0.0.0": never, "2001:2::1": never,
	} {
		for name, p := range allowed {
			want := who == everyone || who == name
			if err := p.Check(netip.MustParseAddr(address)); (err == nil) != want {
				t.Errorf("%s, where %s is allowed: %v", address, name, err)
			} else if err != nil && (api.Status(err) != 422 || strings.Contains(err.Error(), address)) {
				t.Errorf("%s: the error is %d %q", address, api.Status(err), err)
			}
		}
	}
	if (reach.Policy{Private: true, Loopback: true, LinkLocal: true}).Check(netip.Addr{}) == nil {
		t.Error("no address may be reached")
	}
}

func TestHosts(t *testing.T) {
	t.Parallel()
	found := map[string][]string{
		"camera.example": {"93.184.215.14"}, "mixed.example": {"10.0.0.7 127.0.0.1 93.184.215.14 fe80::1"},
		"localhost": {"127.0.0.1 ::1"}, "inside.example": {"10.0.0.7"},
	}
	for host, want := range map[string]string{
		"camera.example": "93.184.215.14", "CAMERA.Example.": "93.184.215.14", "mixed.example": "93.184.215.14", "1.1.1.1": "1.1.1.1",
		"1.1.1.1.": "1.1.1.1", "2606:4700::1111": "2606:4700::1111", "::ffff:1.1.1.1": "1.1.1.1",
		"localhost": "", "localhost.": "", "inside.example": "", "nowhere.example": "", "127.0.0.1": "", "127.0.0.1.": "", "0x7f.1": "", "0x7f000001": "",
		"0X7F.0.0.1": "", "2130706433": "", "127.1": "", "0177.0.0.1": "", "017700000001": "", "127.0.0.1.0x": "", "127.0.0.01": "", "1.1.1.1..": "",
		"": "", ".": "", "..": "", "a..b": "", "::1": "", "fe80::1%eth0": "", "2606:4700::1111%eth0": "", "[::1]": "", "１２７.0.0.1": "",
		"127。0。0。1": "", "a b": "", "a\x00.example": "", "a%00.example": "", "camera.example:80": "", "user@camera.example": "",
		"a/b": "", "*.example": "", strings.Repeat("a", 64) + ".example": "", strings.Repeat("a.", 127) + "example": "",
	} {
		got, err := reach.Policy{Resolver: &names{answers: found}}.Resolve(t.Context(), host)
		if want == "" {
			if err == nil || api.Status(err) != 422 {
				t.Errorf("%q is %v, %v", host, got, err)
			}
			continue
		}
		if err != nil || len(got) != 1 || got[0] != netip.MustParseAddr(want) {
			t.Errorf("%q is %v, %v, want %s", host, got, err, want)
		}
	}
}

// FuzzHost: what a host leads to is never an address that may not be reached, and what the
// resolver is asked for is a plain name.
func FuzzHost(f *testing.F) {
	for _, s := range []string{"127.0.0.1", "0x7f.1", "2130706433", "127.1", "::ffff:7f00:1", "fe80::1%25lo", "a.example.", "xn--nxasmq6b", "0", "1.2.3.4.5", "@"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, host string) {
		n := &names{answers: map[string][]string{}}
		found, err := reach.Policy{Resolver: n}.Resolve(t.Context(), host)
		for _, a := range found {
			if reach.Public().Check(a) != nil {
				t.Errorf("%q leads to %v", host, a)
			}
		}
		if err != nil && api.Status(err) != 422 {
			t.Errorf("%q: %v", host, err)
		}
		for _, asked := range n.asked {
			last := asked[strings.LastIndexByte(asked, '.')+1:]
			if asked != strings.ToLower(asked) || strings.Trim(last, "0123456789") == "" || strings.ContainsAny(asked, "%:/@\x00 ") {
				t.Errorf("%q asks the resolver for %q", host, asked)
			}
		}
	})
}

// listen counts who connects.
func listen(t *testing.T) (netip.AddrPort, func() int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done, n := make(chan struct{}), 0
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			n++
			_ = c.Close()
		}
	}()
	end := func() int {
		_ = l.Close()
		<-done
		return n
	}
	t.Cleanup(func() { end() })
	return l.Addr().(*net.TCPAddr).AddrPort(), end
}

func port(a netip.AddrPort) string { return a.String()[strings.LastIndexByte(a.String(), ':'):] }

func TestDialDoesNotFollowANameThatMoves(t *testing.T) {
	t.Parallel()
	a, connections := listen(t)
	n := &names{answers: map[string][]string{"moves.example": {"93.184.215.14", "127.0.0.1"}}}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	c, err := reach.Policy{Resolver: n}.DialContext(ctx, "tcp", "moves.example"+port(a))
	if c != nil {
		t.Errorf("connected to %v", c.RemoteAddr())
		_ = c.Close()
	}
	if got := connections(); got != 0 || !slices.Equal(n.asked, []string{"moves.example"}) {
		t.Errorf("%d connections to this machine, asked for %q, %v", got, n.asked, err)
	}
}

func TestDial(t *testing.T) {
	t.Parallel()
	a, connections := listen(t)
	n := &names{answers: map[string][]string{"door.example": {"10.0.0.1 127.0.0.1"}}}
	for name, p := range map[string]reach.Policy{
		"public": {Resolver: n, Private: false}, "own": {Resolver: n, Loopback: true, Own: []netip.AddrPort{a}},
		"own, everywhere": {Resolver: n, Loopback: true, Own: []netip.AddrPort{netip.AddrPortFrom(netip.IPv4Unspecified(), a.Port())}},
		"own, IPv6":       {Resolver: n, Loopback: true, Own: []netip.AddrPort{netip.AddrPortFrom(netip.IPv6Unspecified(), a.Port())}},
	} {
		_, err := p.DialContext(t.Context(), "tcp", "door.example"+port(a))
		if _, ok := errors.AsType[*api.Error](err); !ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, bad := range [][2]string{{"udp", "door.example" + port(a)}, {"unix", "/x"}, {"tcp", "door.example"}, {"tcp", "door.example:0"}, {"tcp", "door.example:http"}} {
		if c, err := (reach.Policy{Resolver: n, Loopback: true}).DialContext(t.Context(), bad[0], bad[1]); err == nil {
			t.Errorf("%q connects to %v", bad, c.RemoteAddr())
		}
	}
	c, err := reach.Policy{Resolver: n, Loopback: true}.DialContext(t.Context(), "tcp", "door.example"+port(a))
	if err != nil {
		t.Fatal(err)
	}
	if c.RemoteAddr().String() != a.String() {
		t.Errorf("connected to %v", c.RemoteAddr())
	}
	if _, err := io.ReadAll(c); err != nil { // it was accepted, and closed
		t.Error(err)
	}
	_ = c.Close()
	if got := connections(); got != 1 {
		t.Errorf("%d connections, want 1", got)
	}
}
