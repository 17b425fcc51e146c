package http

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Readiness is the answer of /readyz: 200 where OK, else 503. A camera that is away does not
// make a daemon unready: it is told.
type Readiness struct {
	OK      bool              `json:"ok"`
	Version string            `json:"version"`
	Uptime  float64           `json:"uptime_seconds"`
	Checks  map[string]Check  `json:"checks"`
	Cameras map[string]Camera `json:"cameras"`
}

// Check is one of the things that a daemon rests on.
type Check struct {
	OK     bool   `json:"ok"`
	Detail string `json:"detail,omitempty"` // what it is, or what is wrong
}

// Camera is how a camera is.
type Camera struct {
	State        string   `json:"state"`
	Detail       string   `json:"detail,omitempty"`
	LastFrameAge *float64 `json:"last_frame_age_seconds"` // null before the first frame
	Epoch        int64    `json:"epoch,omitempty"`
	Clock        string   `json:"clock,omitempty"`
	ClockErrorMS int64    `json:"clock_error_ms,omitempty"`
}

// The bounds of a scrape.
const (
	scrapeTime = 15 * time.Second
	scrapes    = 4 // at once
)

func (o Options) health(a huma.API) {
	Mount(a, huma.Operation{
		OperationID: "livez", Method: http.MethodGet, Path: "/livez", Summary: "The process runs", Tags: []string{"health"}, Security: Anyone(),
	}, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) }))
	Mount(a, huma.Operation{
		OperationID: "readyz", Method: http.MethodGet, Path: "/readyz", Summary: "The daemon can do its work, or why not (503)", Tags: []string{"health"},
	}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { ready(w, o.Ready(r.Context())) }))
	Mount(a, huma.Operation{
		OperationID: "metrics", Method: http.MethodGet, Path: "/metrics", Summary: "Numbers in Prometheus' form", Tags: []string{"health"},
	}, promhttp.HandlerFor(o.Metrics.Gatherer(), promhttp.HandlerOpts{MaxRequestsInFlight: scrapes, Timeout: scrapeTime}))
}

func ready(w http.ResponseWriter, r Readiness) {
	w.Header().Set("Content-Type", "application/json")
	if !r.OK {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	_ = e.Encode(r) // the client may be gone
}
