package reach

import (
	"encoding/binary"
	"net/netip"
	"slices"
)

// class is what kind of place an address is, in the words of an error.
type class string

const (
	public    class = "public"
	private   class = "in a private network"
	loopback  class = "this machine's own (loopback)"
	linkLocal class = "link-local"
	metadata  class = "a cloud's metadata service"
	nobody    class = "no host's (reserved)"
)

// classOf is the class of an address as it is written; see embedded.
func classOf(a netip.Addr) class {
	switch {
	case slices.Contains(services(), a.String()):
		return metadata
	case a.IsLoopback():
		return loopback
	case a.IsLinkLocalUnicast():
		return linkLocal
	case within(a, "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7", "fec0::/10"):
		return private
	case !a.IsValid() || a.IsMulticast() || within(a, reserved()...) || a.Is6() && !within(a, "2000::/3", "64:ff9b::/96"):
		return nobody
	}
	return public
}

// services are the addresses at which clouds tell their machines secrets, where they are
// not link-local or as well known.
func services() []string {
	return []string{"169.254.169.254", "fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254", "100.100.100.200", "168.63.129.16", "192.0.0.192"}
}

// reserved is what IANA's special-purpose registries keep from being a public host's. The
// IPv6 part lists what is inside 2000::/3.
func reserved() []string {
	return []string{
		"0.0.0.0/8", "192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15", "240.0.0.0/4", // broadcast is in the last
		"192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", // documentation
		"2001:2::/48", "2001:10::/28", "2001:20::/28", "2001:db8::/32", "3fff::/20",
	}
}

func within(a netip.Addr, prefixes ...string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return netip.MustParsePrefix(p).Contains(a) })
}

// embedded are the IPv4 addresses that a stands for beside itself: through a translator
// (NAT64) or a tunnel (6to4, Teredo, ISATAP) a packet to a ends there.
func embedded(a netip.Addr) (inside []netip.Addr) {
	b := a.Unmap().As16()
	at := func(i int, mask uint32) {
		var v4 [4]byte
		binary.BigEndian.PutUint32(v4[:], binary.BigEndian.Uint32(b[i:])^mask)
		inside = append(inside, netip.AddrFrom4(v4))
	}
	switch a = a.Unmap().WithZone(""); {
	case !a.Is6():
	case within(a, "64:ff9b::/96"):
		at(12, 0)
	case within(a, "2002::/16"):
		at(2, 0)
	case within(a, "2001::/32"):
		at(4, 0)
		at(12, 0xffffffff)
	case binary.BigEndian.Uint32(b[8:])&^0x02000000 == 0x5efe:
		at(12, 0)
	}
	return inside
}
