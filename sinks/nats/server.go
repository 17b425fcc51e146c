package nats

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// ServerOptions are those of the embedded server.
type ServerOptions struct {
	StoreDir       string       // where streams are kept; one server at a time
	Listen         string       // host:port, port 0 for a free one; empty: reached only in the process
	WebSocket      string       // host:port for clients that speak WebSocket; empty: none
	Origins        []string     // of pages that may speak WebSocket where no password is asked for; none
	MQTT           string       // host:port for clients that speak MQTT; empty: none
	User, Password string       // asked of every client; needed beyond loopback
	MaxStore       int64        // bytes of disk for all streams; 4 GiB if 0
	Logger         *slog.Logger // none
}

// startTime is how long a server may take to recover its store.
const startTime = 30 * time.Second

// Server is a NATS server with JetStream, in this process. What it acknowledged is
// synced to the disk.
type Server struct {
	server *server.Server
	lock   *os.File
	url    string
}

// WebSocketURL is where clients that speak WebSocket connect; empty for nowhere.
func (s *Server) WebSocketURL() string { return s.server.WebsocketURL() }

// Start runs a server until Stop. A folder that another server uses, and an address
// beyond loopback without a password, are refused.
func Start(o ServerOptions) (*Server, error) {
	options, err := o.server()
	if err != nil {
		return nil, err
	}
	lock, err := lockStore(o.StoreDir)
	if err != nil {
		return nil, err
	}
	s, err := start(o, options)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start NATS server: %w", err), lock.Close())
	}
	return &Server{s, lock, address(s)}, nil
}

// server is the options as the library takes them.
func (o ServerOptions) server() (*server.Options, error) {
	if o.StoreDir == "" {
		return nil, errors.New("start NATS server: it needs a folder for its store")
	}
	options := &server.Options{
		ServerName: "captiond", DontListen: o.Listen == "",
		NoSigs: true, JetStream: true, StoreDir: o.StoreDir, SyncAlways: true,
		JetStreamMaxStore: cmp.Or(o.MaxStore, 4<<30), JetStreamMaxMemory: 64 << 20, MaxPayload: 1 << 20,
		Username: o.User, Password: o.Password,
	}
	for _, l := range []struct {
		listen string
		host   *string
		port   *int
	}{
		{o.Listen, &options.Host, &options.Port},
		{o.WebSocket, &options.Websocket.Host, &options.Websocket.Port},
		{o.MQTT, &options.MQTT.Host, &options.MQTT.Port},
	} {
		if l.listen == "" {
			continue
		}
		var err error
		if *l.host, *l.port, err = o.address(l.listen); err != nil {
			return nil, err
		}
	}
	options.Websocket.NoTLS = true
	if o.User == "" { // any page that a browser on this machine shows could listen
		options.Websocket.SameOrigin = len(o.Origins) == 0
		options.Websocket.AllowedOrigins = o.Origins
	}
	return options, nil
}

func start(o ServerOptions, options *server.Options) (*server.Server, error) {
	s, err := server.NewServer(options)
	if err != nil {
		return nil, err
	}
	log := serverLog{cmp.Or(o.Logger, slog.New(slog.DiscardHandler)), make(chan string, 1)}
	s.SetLoggerV2(log, false, false, false)
	s.Start()
	if err := ready(s, log.fatal); err != nil {
		s.Shutdown()
		s.WaitForShutdown()
		return nil, err
	}
	return s, nil
}

// ready waits until clients can connect. The server tells what stops it only to its log.
func ready(s *server.Server, fatal <-chan string) error {
	for begun := time.Now(); time.Since(begun) < startTime; {
		if s.ReadyForConnections(50 * time.Millisecond) {
			return nil
		}
		select {
		case why := <-fatal:
			return errors.New(why)
		default:
		}
	}
	return fmt.Errorf("it was not ready within %v; its log says more", startTime)
}

func address(s *server.Server) string {
	if s.Addr() == nil {
		return ""
	}
	return "nats://" + s.Addr().String()
}

// address is what to listen on. The server takes port 0 for its default and -1 for a
// free one.
func (o ServerOptions) address(listen string) (host string, port int, err error) {
	host, number, err := net.SplitHostPort(listen)
	if err != nil {
		return "", 0, fmt.Errorf("start NATS server: listen must be host:port: %w", err)
	}
	n, err := strconv.ParseUint(number, 10, 16)
	if err != nil {
		return "", 0, fmt.Errorf("start NATS server: listen on %s: the port must be 0 to 65535", listen)
	}
	if ip := net.ParseIP(host); host != "localhost" && !ip.IsLoopback() && (o.User == "" || o.Password == "") {
		return "", 0, fmt.Errorf("start NATS server: listening on %s, beyond loopback, needs a user and a password (nats.username, nats.password_file)", listen)
	}
	if n == 0 {
		return host, server.RANDOM_PORT, nil
	}
	return host, int(n), nil
}

// lockStore takes the folder for this process; the system gives it back when it dies.
func lockStore(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("start NATS server: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "captiond.lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("start NATS server: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("start NATS server: another captiond uses %s: stop it, or set another state folder: %w", dir, err), f.Close())
	}
	return f, nil
}

// URL is where clients connect; empty if it does not listen.
func (s *Server) URL() string { return s.url }

// Healthy is nil while the server can store events. A full disk shows here, and stays
// until the server is started again.
func (s *Server) Healthy() error {
	h := s.server.Healthz(&server.HealthzOptions{Details: true})
	if h.StatusCode == 200 || h.StatusCode == 0 && h.Status == "ok" {
		return nil
	}
	err := fmt.Errorf("NATS server: %s %s", h.Status, h.Error)
	for _, e := range h.Errors {
		err = errors.Join(err, errors.New(e.Error))
	}
	return err
}

// Stop ends the server, waits for it, and gives the folder back.
func (s *Server) Stop() error {
	s.server.Shutdown()
	s.server.WaitForShutdown()
	if err := s.lock.Close(); err != nil {
		return fmt.Errorf("stop NATS server: %w", err)
	}
	return nil
}

// serverLog passes the server's log on, and keeps the first fatal line. The library
// would end the process after that one; we do not.
type serverLog struct {
	l     *slog.Logger
	fatal chan string
}

func (s serverLog) debug(f string, v []any) { s.l.Debug("nats server", "text", fmt.Sprintf(f, v...)) }

func (s serverLog) Noticef(f string, v ...any) { s.debug(f, v) }
func (s serverLog) Debugf(f string, v ...any)  { s.debug(f, v) }
func (s serverLog) Tracef(f string, v ...any)  { s.debug(f, v) }
func (s serverLog) Warnf(f string, v ...any) {
	s.l.Warn("nats server", "text", fmt.Sprintf(f, v...))
}
func (s serverLog) Errorf(f string, v ...any) {
	s.l.Error("nats server", "text", fmt.Sprintf(f, v...))
}
func (s serverLog) Fatalf(f string, v ...any) {
	s.Errorf(f, v...)
	select {
	case s.fatal <- fmt.Sprintf(f, v...):
	default:
	}
}
