package reach

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/captiond/captiond/api"
)

// dialTime is how long one address may take to answer.
const dialTime = 5 * time.Second

// Resolver finds the addresses of a name; *net.Resolver is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Resolve is the addresses of a host (a name, or an address as in a URL, without brackets)
// that may be reached: at least one where the error is nil. It asks the resolver once; to
// use an address later, connect to that address and not to the name. Errors are
// *api.Error, and tell no address.
func (p Policy) Resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	a, name, err := parseHost(host)
	if err != nil {
		return nil, err
	}
	if name == "" {
		if a.Zone() != "" && !(p.LinkLocal && a.IsLinkLocalUnicast()) {
			return nil, api.Errorf(422, "the address has a zone (%%): write it without")
		}
		return p.permitted([]netip.Addr{a})
	}
	found, err := p.resolver().LookupNetIP(ctx, "ip", name)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil || len(found) == 0:
		return nil, api.Errorf(422, "%s has no address: check the name%s", name, temporary(err))
	}
	return p.permitted(found)
}

func temporary(err error) string {
	if d, ok := errors.AsType[*net.DNSError](err); ok && !d.IsNotFound {
		return ", and whether this daemon can reach its DNS server"
	}
	return ""
}

func (p Policy) resolver() Resolver {
	if p.Resolver == nil {
		return net.DefaultResolver
	}
	return p.Resolver
}

// permitted keeps what may be reached. Where nothing may, the error is that of the first.
func (p Policy) permitted(found []netip.Addr) (good []netip.Addr, err error) {
	for _, a := range found {
		refusal := p.Check(a)
		if refusal == nil {
			good = append(good, a.Unmap())
		} else if err == nil {
			err = refusal
		}
	}
	if len(good) > 0 {
		return good, nil
	}
	return nil, err
}

// DialContext connects to host:port over TCP, as a net.Dialer does, but only where the
// policy allows it: the name is resolved once, and what is connected to is what was
// checked. It tries the addresses in order, 5 seconds each. Refusals are *api.Error.
func (p Policy) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if !strings.HasPrefix(network, "tcp") {
		return nil, fmt.Errorf("dial: network %s is not TCP", network)
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, api.Errorf(422, "the address must be host:port")
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil || number == 0 {
		return nil, api.Errorf(422, "the port must be 1 to 65535")
	}
	addresses, err := p.Resolve(ctx, host)
	if err != nil {
		return nil, err
	}
	return p.dialFirst(ctx, network, addresses, uint16(number))
}

func (p Policy) dialFirst(ctx context.Context, network string, addresses []netip.Addr, port uint16) (net.Conn, error) {
	d := net.Dialer{Timeout: dialTime, ControlContext: p.control}
	var errs []error
	for _, a := range addresses {
		c, err := d.DialContext(ctx, network, netip.AddrPortFrom(a, port).String())
		if err == nil {
			return c, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

// control checks the address that the system is about to connect to, before a packet
// leaves.
func (p Policy) control(_ context.Context, _, address string, _ syscall.RawConn) error {
	a, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("dial: %w", err)
	}
	return p.checkPort(a)
}
