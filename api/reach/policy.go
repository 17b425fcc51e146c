// Package reach decides which addresses the daemon goes to for a client: a client that names
// a URL must not make it speak to what only the daemon can reach (SSRF). A name is resolved
// once, every address it stands for is checked, and the connection goes to a checked address
// and nowhere else, at each redirect anew.
//
// It is for addresses that come over the API. Those in the configuration are the operator's
// word. All of it may be used by several goroutines at once.
package reach

import (
	"crypto/x509"
	"net"
	"net/netip"

	"github.com/captiond/captiond/api"
)

// Policy says where connections may go. The zero value is for the public internet alone.
// Addresses that are no host's (unspecified, multicast, reserved, for documentation) are
// never reached.
type Policy struct {
	Private   bool             // networks of one's own: RFC 1918, unique local, shared by a carrier
	Loopback  bool             // this machine
	LinkLocal bool             // the wire, and the metadata services of clouds
	Own       []netip.AddrPort // where the daemon itself listens: never reached, whatever else may be
	Resolver  Resolver         // nil: the system's
	Roots     *x509.CertPool   // whom Fetch trusts; nil: whom the system does
}

// Public is the policy for the address of a video, unless the operator says otherwise.
func Public() Policy { return Policy{} }

// Local is the policy for the address of a camera, likewise: public addresses and the local
// network.
func Local() Policy { return Policy{Private: true} }

// Anywhere has no bounds but the daemon's own doors.
func Anywhere() Policy { return Policy{Private: true, Loopback: true, LinkLocal: true} }

// Check is nil where a may be reached, else an *api.Error that says why not, without a.
func (p Policy) Check(a netip.Addr) error {
	for _, a := range append(embedded(a), a.Unmap().WithZone("")) {
		if c := classOf(a); !p.allows(c) {
			return api.Errorf(422, "the address is %s, where this daemon does not go for a client: use a public one, or ask the operator to allow it", c)
		}
	}
	return nil
}

// checkPort is Check, and refuses the daemon's own doors.
func (p Policy) checkPort(a netip.AddrPort) error {
	for _, own := range p.Own {
		if own.Port() == a.Port() && same(own.Addr(), a.Addr()) {
			return api.Errorf(422, "the address is one that this daemon listens on: it does not connect to itself")
		}
	}
	return p.Check(a.Addr())
}

// same says whether who listens on own is reached at a.
func same(own, a netip.Addr) bool {
	own, a = own.Unmap(), a.Unmap().WithZone("")
	return own == a || own.IsUnspecified() && (a.IsUnspecified() || a.IsLoopback() || ofThisMachine(a))
}

func ofThisMachine(a netip.Addr) bool {
	all, _ := net.InterfaceAddrs()
	for _, i := range all {
		if n, err := netip.ParsePrefix(i.String()); err == nil && n.Addr().Unmap().WithZone("") == a {
			return true
		}
	}
	return false
}

func (p Policy) allows(c class) bool {
	switch c {
	case public:
		return true
	case private:
		return p.Private
	case loopback:
		return p.Loopback
	case linkLocal, metadata:
		return p.LinkLocal
	}
	return false
}
