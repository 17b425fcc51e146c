package main

import (
	"context"
	"io"
	"net"
	"net/netip"
	"strconv"
	"time"

	"github.com/captiond/captiond/api/http"
	"github.com/captiond/captiond/api/reach"
	"github.com/captiond/captiond/configs"
)

// policy is where addresses of clients may lead, by the word of the configuration: never to the
// daemon's own doors.
func policy(c configs.Config, word string) reach.Policy {
	p := reach.Public()
	switch word {
	case "local":
		p = reach.Local()
	case "any":
		p = reach.Anywhere()
	}
	for _, own := range []string{c.HTTP.Listen, c.NATS.Listen, c.NATS.WebSocket, c.NATS.MQTT} {
		if a, ok := ownDoor(own); ok {
			p.Own = append(p.Own, a)
		}
	}
	return p
}

// ownDoor is an address that the daemon listens on. One without a host, or with a name, stands
// for every address of this machine.
func ownDoor(listen string) (netip.AddrPort, bool) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return netip.AddrPort{}, false
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil || number == 0 {
		return netip.AddrPort{}, false // none, or one that is not known yet
	}
	a, err := netip.ParseAddr(host)
	if err != nil {
		a = netip.IPv4Unspecified()
	}
	return netip.AddrPortFrom(a, uint16(number)), true
}

// fetchIdle is how long a server may send nothing of a video.
const fetchIdle = 30 * time.Second

// fetch brings a video from the address that a client gives.
func (t *tool) fetch() http.Fetch {
	p := policy(t.config, t.config.Reach.Videos)
	limits := reach.Limits{Bytes: int64(t.config.Uploads.MaxBytes), Idle: fetchIdle}
	return func(ctx context.Context, address string, w io.Writer) (string, error) {
		f, err := p.Fetch(ctx, address, w, limits)
		return f.Title, err
	}
}
