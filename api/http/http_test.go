package http

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"github.com/captiond/captiond/pipeline/live"
	"github.com/captiond/captiond/sinks"
	"github.com/captiond/captiond/sinks/outbox"
	"github.com/captiond/captiond/sinks/sinktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, sinktest.NATSLeaks()) }

func numbers() Numbers {
	return Numbers{
		Cameras: map[string]live.Count{"door": {
			Units: 9, Frames: 8, Encoded: 7, State: sinks.StateLive, LastFrame: time.Now(), Stride: time.Second, DroppedWindows: 3,
			Events: map[sinks.Kind]int64{sinks.KindCaption: 5},
		}},
		Outbox: outbox.Stats{Bytes: 100, Delivered: 4, Dropped: 2, Oldest: time.Now()}, Stretch: 2,
	}
}

// serve starts a server, and gets paths from it.
func serve(t *testing.T, o Options) (get func(path, host string) (int, string)) {
	t.Helper()
	l, err := Listen("127.0.0.1:0", nil)
	if err != nil {
		t.Fatal(err)
	}
	o.Log = slog.New(slog.DiscardHandler)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, l, o) }()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return func(path, host string) (int, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+l.Addr().String()+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if host != "" {
			r.Host = host
		}
		res, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(b)
	}
}

func TestServe(t *testing.T) {
	t.Parallel()
	broker := Check{OK: true}
	m := NewMetrics(numbers)
	m.Latency("door")(300 * time.Millisecond)
	get := serve(t, Options{Metrics: m, Ready: func(context.Context) Readiness {
		return Readiness{OK: broker.OK, Checks: map[string]Check{"broker": broker}, Cameras: map[string]Camera{"door": {State: "live"}}}
	}})
	if code, body := get("/livez", ""); code != 200 || body != "ok\n" {
		t.Errorf("/livez: %d %q", code, body)
	}
	for _, ok := range []bool{true, false} {
		broker = Check{OK: ok, Detail: "away"}
		code, body := get("/readyz", "")
		var r Readiness
		if err := json.Unmarshal([]byte(body), &r); err != nil || r.OK != ok || (code == 200) != ok || r.Cameras["door"].State != "live" {
			t.Errorf("/readyz: %d %s, %v", code, body, err)
		}
	}
	_, body := get("/metrics", "")
	for _, line := range []string{
		`captiond_encoder_runs_total{source="door"} 7`, `captiond_events_total{kind="caption",source="door"} 5`,
		`captiond_dropped_total{reason="overload",source="door",what="windows"} 3`, `captiond_camera_state{source="door",state="live"} 1`,
		`captiond_latency_seconds_bucket{source="door",le="0.5"} 1`, `captiond_outbox_bytes 100`, `captiond_outbox_dropped_total{reason="limits"} 2`,
		`captiond_stride_stretch_ratio 2`,
	} {
		if !strings.Contains(body, line+"\n") {
			t.Errorf("/metrics does not say %s", line)
		}
	}
	if code, _ := get("/nothing", ""); code != 404 {
		t.Errorf("/nothing: %d", code)
	}
}

func TestMetricNames(t *testing.T) {
	t.Parallel()
	problems, err := testutil.GatherAndLint(NewMetrics(numbers).Gatherer())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// A page under another name must not read what is here.
func TestHost(t *testing.T) {
	t.Parallel()
	get := serve(t, Options{Metrics: NewMetrics(numbers), Ready: func(context.Context) Readiness { return Readiness{} }})
	for host, want := range map[string]int{
		"localhost": 200, "LOCALHOST:8080": 200, "127.0.0.1:1": 200, "[::1]:80": 200,
		"evil.example": 403, "127.0.0.1.evil.example": 403, "192.168.1.2:8080": 403, "localhost.evil.example:80": 403,
	} {
		if code, _ := get("/livez", host); code != want {
			t.Errorf("%s: %d, want %d", host, code, want)
		}
	}
}

func TestListen(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"0.0.0.0:0", "192.0.2.1:80", "nothing"} {
		if l, err := Listen(address, nil); err == nil {
			_ = l.Close()
			t.Errorf("%s: accepted", address)
		}
	}
}
