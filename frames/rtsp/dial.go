package rtsp

import (
	"context"
	"fmt"
	"net"
)

// dial connects to the camera's own address alone.
func (s *session) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if address != s.address {
		return nil, errElsewhere
	}
	dial := s.camera.Dialer.DialContext
	if s.camera.Dial != nil {
		dial = s.camera.Dial
	}
	c, err := dial(ctx, network, address)
	if err == nil {
		s.peer = c.RemoteAddr()
	}
	return c, err
}

// listen opens a port for the camera's packets that sends to the camera alone: its answers may
// name any other host as theirs.
func (s *session) listen(network, address string) (net.PacketConn, error) {
	c, err := (&net.ListenConfig{}).ListenPacket(context.Background(), network, address)
	if err != nil {
		return nil, err
	}
	own, ok := c.(*net.UDPConn)
	peer, known := s.peer.(*net.TCPAddr)
	if !ok || !known {
		return nil, fmt.Errorf("listen for packets: %T and %T are no addresses of UDP and TCP", c, s.peer)
	}
	return &pinnedConn{own, peer.IP}, nil
}

// pinnedConn sends to one host.
type pinnedConn struct {
	*net.UDPConn
	host net.IP
}

// WriteTo drops what is for another host: where no packets come for it, TCP is tried.
func (c *pinnedConn) WriteTo(b []byte, to net.Addr) (int, error) {
	if u, ok := to.(*net.UDPAddr); !ok || !u.IP.Equal(c.host) {
		return len(b), nil
	}
	return c.UDPConn.WriteTo(b, to)
}
