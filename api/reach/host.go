package reach

import (
	"net/netip"
	"strings"

	"github.com/captiond/captiond/api"
)

// parseHost reads the host of a URL: an address, or else a name to resolve. The ways in
// which C libraries also write IPv4 addresses (127.1, 0x7f.1, 2130706433) are refused,
// because readers differ in what they mean.
func parseHost(host string) (netip.Addr, string, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return a, "", nil
	}
	name := strings.ToLower(strings.TrimSuffix(host, "."))
	if a, err := netip.ParseAddr(name); err == nil && a.Is4() {
		return a, "", nil
	}
	labels := strings.Split(name, ".")
	switch {
	case name == "":
		return netip.Addr{}, "", api.Errorf(422, "the address has no host: write it like https://example.org/clip.mp4")
	case numeric(labels[len(labels)-1]):
		return netip.Addr{}, "", api.Errorf(422, "the host is no address: write IPv4 addresses as four decimal numbers, like 192.0.2.1")
	case len(name) > 253 || !all(labels, validLabel):
		return netip.Addr{}, "", api.Errorf(422, "the host is no name of the DNS: use letters, digits, '-', '_' and '.', and the xn-- form of others")
	}
	return netip.Addr{}, name, nil
}

// numeric says whether a host that ends in this label is an IPv4 address to some reader.
func numeric(label string) bool {
	if hex, ok := strings.CutPrefix(label, "0x"); ok {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return label != "" && strings.Trim(label, "0123456789") == ""
}

func validLabel(label string) bool {
	return label != "" && len(label) <= 63 && strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") == ""
}

func all(labels []string, ok func(string) bool) bool {
	for _, l := range labels {
		if !ok(l) {
			return false
		}
	}
	return true
}
