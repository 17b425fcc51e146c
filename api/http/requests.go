package http

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// goneStatus stands for requests whose client went before the answer, as in other servers' logs.
const goneStatus = 499

// requests is what is measured of the door itself.
type requests struct {
	count *prometheus.CounterVec
	time  *prometheus.HistogramVec
}

func newRequests(r prometheus.Registerer) requests {
	m := requests{
		count: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "captiond_http_requests_total", Help: "Requests by route and status.",
		}, []string{"route", "status"}),
		time: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "captiond_http_request_seconds", Help: "From a request's head to the end of its answer.",
			Buckets: []float64{0.005, 0.02, 0.1, 0.5, 2, 10, 60, 600},
		}, []string{"route"}),
	}
	r.MustRegister(m.count, m.time)
	return m
}

// request is told of a request as it begins; what it returns, of its end. Routes and statuses
// are few, whatever clients ask for.
func (m *Metrics) request(w *reply, r *http.Request) func() {
	began := time.Now()
	return func() {
		route, status := w.route, w.status
		if route == "" {
			route = "none"
		}
		if status == 0 || status >= http.StatusInternalServerError && r.Context().Err() != nil {
			status = goneStatus
		}
		m.requests.count.WithLabelValues(route, strconv.Itoa(status)).Inc()
		m.requests.time.WithLabelValues(route).Observe(time.Since(began).Seconds())
	}
}
