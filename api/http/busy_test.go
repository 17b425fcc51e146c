package http_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/captiond/captiond/api"
	door "github.com/captiond/captiond/api/http"
	"github.com/captiond/captiond/api/tokens"
)

func (a answer) later(t *testing.T) {
	t.Helper()
	if n, err := strconv.Atoi(a.header.Get("Retry-After")); err != nil || n < 1 {
		t.Errorf("Retry-After: %q", a.header.Get("Retry-After"))
	}
}

func TestRate(t *testing.T) {
	t.Parallel()
	s := start(t, func(o *door.Options) { o.Limits.PerSecond, o.Limits.AsksPerSecond = 0.1, 0.1 })
	if a := s.do(t, "GET", "/v1/videos", nil); a.status != 200 {
		t.Errorf("%d", a.status)
	}
	a := s.do(t, "GET", "/v1/videos", nil)
	a.problem(t, 429, "too many requests")
	a.later(t)
	// Others have their own, and each kind of request; whoever watches is let in.
	if a := s.do(t, "GET", "/v1/videos", nil, "Authorization", s.token(t, "other", tokens.Read)); a.status != 200 {
		t.Errorf("another token: %d %s", a.status, a.body)
	}
	if a := s.json(t, "POST", "/v1/caption", map[string]any{"camera": "a"}); a.status != 200 {
		t.Errorf("a question: %d %s", a.status, a.body)
	}
	s.json(t, "POST", "/v1/caption", map[string]any{"camera": "a"}).problem(t, 429, "too many requests")
	if a := s.do(t, "GET", "/livez", nil); a.status != 200 {
		t.Errorf("/livez: %d", a.status)
	}
}

func TestUploadsAtOnce(t *testing.T) {
	t.Parallel()
	s := start(t, func(o *door.Options) { o.Limits.Uploads, o.Limits.UploadsOfOne = 2, 1 })
	mine, other := s.token(t, "mine", tokens.Upload), s.token(t, "other", tokens.Upload)
	open := func(token string) net.Conn {
		n := len(s.left(t))
		c := s.dial(t, "POST /v1/videos HTTP/1.1\r\nHost: localhost\r\nAuthorization: %s\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 9999\r\n\r\n--b\r\n"+
			"Content-Disposition: form-data; name=file; filename=a.mp4\r\n\r\nabc", token)
		wait(t, "it begins", func() bool { return len(s.left(t)) > n })
		return c
	}
	first := open(mine)
	body, kind := form(t, field{"file", "a.mp4", clip(100)})
	a := s.do(t, "POST", "/v1/videos", body, "Content-Type", kind, "Authorization", mine)
	a.problem(t, 429, "under way")
	a.later(t)
	open(other)
	body, kind = form(t, field{"file", "a.mp4", clip(100)})
	a = s.do(t, "POST", "/v1/videos", body, "Content-Type", kind)
	a.problem(t, 503, "come again")
	a.later(t)
	_ = first.Close()
	wait(t, "there is room again", func() bool {
		body, kind := form(t, field{"file", "a.mp4", clip(100)})
		return s.do(t, "POST", "/v1/videos", body, "Content-Type", kind, "Authorization", mine).status == 202
	})
}

// Connections beyond the limit wait, until others end.
func TestConnections(t *testing.T) {
	t.Parallel()
	s := start(t, func(o *door.Options) { o.Limits.Connections, o.Limits.Header = 2, time.Minute })
	idle := []net.Conn{s.dial(t, "GET /livez"), s.dial(t, "GET /livez")}
	c := s.dial(t, "GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
	_ = c.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
	if b, err := io.ReadAll(c); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a third one: %s, %v", b, err)
	}
	_ = idle[0].Close()
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
	if b, err := io.ReadAll(c); err != nil || !strings.HasPrefix(string(b), "HTTP/1.1 200") {
		t.Errorf("%s, %v", b, err)
	}
}

func TestPanic(t *testing.T) {
	t.Parallel()
	s := start(t, func(o *door.Options) {
		o.Fetch = func(context.Context, string, io.Writer) (string, error) { panic("a fault") }
	})
	s.json(t, "POST", "/v1/videos", map[string]any{"url": "http://example.org/"}).problem(t, 500, "ref=")
	if !strings.Contains(s.log.String(), "a fault") {
		t.Error("the log does not say why")
	}
	if a := s.do(t, "GET", "/v1/videos", nil); a.status != 200 {
		t.Errorf("%d", a.status)
	}
}

func TestRequestMetrics(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	s.do(t, "GET", "/v1/videos/"+door.NewID(), nil)
	s.do(t, "GET", "/v1/videos/"+door.NewID(), nil)
	s.do(t, "GET", "/no/such/path", nil)
	s.do(t, "BREW", "/v1/videos", nil)
	body := s.do(t, "GET", "/metrics", nil).body
	for _, line := range []string{
		`captiond_http_requests_total{route="GET /v1/videos/{id}",status="404"} 2`,
		`captiond_http_requests_total{route="none",status="404"} 1`, `captiond_http_requests_total{route="none",status="405"} 1`,
		`captiond_http_request_seconds_count{route="GET /v1/videos/{id}"} 2`,
	} {
		if !strings.Contains(body, line+"\n") {
			t.Errorf("/metrics does not say %s", line)
		}
	}
}

// A busy daemon says so, with the words and the time of whoever is busy.
func TestBusy(t *testing.T) {
	t.Parallel()
	s := start(t, func(o *door.Options) {
		o.Fetch = func(context.Context, string, io.Writer) (string, error) {
			return "", api.Later(http.StatusServiceUnavailable, 1500*time.Millisecond, "too many are asked at once: come again")
		}
	})
	a := s.json(t, "POST", "/v1/videos", map[string]any{"url": "http://example.org/"})
	if a.problem(t, 503, "come again"); a.header.Get("Retry-After") != "2" {
		t.Errorf("Retry-After: %s", a.header.Get("Retry-After"))
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	cert, key, pool := certificate(t)
	s := start(t, func(o *door.Options) { o.Certificate, o.Key = cert, key })
	address := strings.TrimPrefix(s.url, "http://")
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: pool}}}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+address+"/v1/videos", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != 200 {
		t.Errorf("%d", res.StatusCode)
	}
	old := &tls.Config{RootCAs: pool, MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10} //nolint:gosec // which is to be refused
	if c, err := tls.Dial("tcp", address, old); err == nil {
		_ = c.Close()
		t.Error("TLS 1.1 is spoken")
	}
}

// certificate makes one for 127.0.0.1.
func certificate(t *testing.T) (cert, key string, pool *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	b, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := errors.Join(os.WriteFile(cert, certPEM, 0o600), os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: b}), 0o600)); err != nil {
		t.Fatal(err)
	}
	pool = x509.NewCertPool()
	pool.AppendCertsFromPEM(certPEM)
	return cert, key, pool
}
