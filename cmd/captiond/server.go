package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/captiond/captiond/configs"
	"github.com/captiond/captiond/sinks/nats"
)

// besideEvents is what the embedded server may store beside the events: jobs and their records.
const besideEvents = 1 << 30

// serverOptions are those of the embedded server, as configured.
func serverOptions(c configs.Config, log *slog.Logger) nats.ServerOptions {
	o := nats.ServerOptions{
		StoreDir: filepath.Join(c.State, "nats"), Listen: c.NATS.Listen, WebSocket: c.NATS.WebSocket, MQTT: c.NATS.MQTT,
		User: c.NATS.Username, Password: c.NATS.Password.Reveal(), MaxStore: 2*int64(c.NATS.MaxBytes) + besideEvents, Logger: log,
	}
	if c.Uploads.Shared {
		o.MaxStore += sharedBytes
	}
	if _, port, err := net.SplitHostPort(c.HTTP.Listen); err == nil {
		o.Origins = []string{"http://127.0.0.1:" + port, "http://localhost:" + port}
	}
	return o
}

var errNotStarted = errors.New("the embedded NATS server could not be started again: see the log")

// healEvery is how often the embedded server is asked how it is. One that is not well twice in
// a row is started again.
const healEvery = 10 * time.Second

// ownServer is the embedded NATS server. A stream that met a full disk takes nothing more
// until the server is started again, though all that it acknowledged is there: so that is
// what heal does.
type ownServer struct {
	options nats.ServerOptions

	mu     sync.Mutex
	server *nats.Server // nil where it could not be started again
}

func startOwn(o nats.ServerOptions) (*ownServer, error) {
	server, err := nats.Start(o)
	if err != nil {
		return nil, err
	}
	s := &ownServer{options: o, server: server}
	s.options.Listen = strings.TrimPrefix(server.URL(), "nats://") // clients know it by now
	return s, nil
}

func (s *ownServer) url() string { return "nats://" + s.options.Listen }

func (s *ownServer) healthy() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.server == nil {
		return errNotStarted
	}
	return s.server.Healthy()
}

func (s *ownServer) stop() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.server == nil {
		return nil
	}
	return s.server.Stop()
}

// heal looks after the server until ctx ends.
func (s *ownServer) heal(ctx context.Context) {
	tick := time.NewTicker(healEvery)
	defer tick.Stop()
	for ill := 0; ; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		err := s.healthy()
		if err == nil {
			ill = 0
			continue
		}
		if ill++; ill < 2 {
			continue
		}
		s.options.Logger.Error("nats server is started again", "err", err)
		if err := s.restart(); err != nil {
			s.options.Logger.Error("nats server could not be started again: it is tried on", "err", err)
		}
	}
}

func (s *ownServer) restart() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.server != nil {
		if err := s.server.Stop(); err != nil {
			s.options.Logger.Warn("nats server did not stop in order", "err", err)
		}
	}
	server, err := nats.Start(s.options)
	s.server = server
	return err
}
