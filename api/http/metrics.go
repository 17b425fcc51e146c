package http

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/captiond/captiond/pipeline/live"
	"github.com/captiond/captiond/sinks/outbox"
)

// Metrics are what a daemon measures, in Prometheus' form. Numbers are read when they are
// asked for; latencies are told as they come. It may be used by any number of goroutines.
type Metrics struct {
	registry *prometheus.Registry
	latency  *prometheus.HistogramVec
}

// Numbers is a snapshot of a daemon.
type Numbers struct {
	Cameras    map[string]live.Count // by source
	Outbox     outbox.Stats
	Duplicates int64 // publications that the broker knew already
	RingBytes  int64
	Stretch    int // factor of all strides
}

// NewMetrics takes its numbers from a function.
func NewMetrics(numbers func() Numbers) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry()}
	m.latency = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "captiond_latency_seconds", Help: "From the end of a window to its text being safe.",
		Buckets: []float64{0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60},
	}, []string{"source"})
	m.registry.MustRegister(m.latency, snapshot{numbers}, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Gatherer is what /metrics shows.
func (m *Metrics) Gatherer() prometheus.Gatherer { return m.registry }

// Latency is told of each text of a source.
func (m *Metrics) Latency(source string) func(time.Duration) {
	o := m.latency.WithLabelValues(source)
	return func(d time.Duration) { o.Observe(d.Seconds()) }
}

// Forget drops what is known of a source that is no more.
func (m *Metrics) Forget(source string) { m.latency.DeleteLabelValues(source) }

// snapshot is a collector: it asks for all numbers at once.
type snapshot struct{ numbers func() Numbers }

// A measure is one number of a camera.
type measure struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(live.Count) float64
}

func perSource(name, help string, kind prometheus.ValueType, value func(live.Count) float64) measure {
	return measure{prometheus.NewDesc("captiond_"+name, help, []string{"source"}, nil), kind, value}
}

func counted(name, help string, value func(live.Count) int64) measure {
	return perSource(name, help, prometheus.CounterValue, func(c live.Count) float64 { return float64(value(c)) })
}

// measures are those of a camera.
func measures() []measure {
	return []measure{
		counted("units_total", "Access units received.", func(c live.Count) int64 { return c.Units }),
		counted("lost_packets_total", "RTP packets that did not arrive.", func(c live.Count) int64 { return c.LostPackets }),
		counted("frames_total", "Frames decoded.", func(c live.Count) int64 { return c.Frames }),
		counted("sampled_frames_total", "Frames looked at.", func(c live.Count) int64 { return c.Sampled }),
		counted("encoder_runs_total", "Frames encoded.", func(c live.Count) int64 { return c.Encoded }),
		counted("still_frames_total", "Frames not encoded, because nothing had changed.", func(c live.Count) int64 { return c.Still }),
		counted("windows_total", "Windows that were complete.", func(c live.Count) int64 { return c.Windows }),
		counted("decoded_windows_total", "Windows that texts were generated about.", func(c live.Count) int64 { return c.Begun }),
		counted("texts_total", "Texts generated.", func(c live.Count) int64 { return c.Generated }),
		counted("gaps_total", "Stretches that were not seen.", func(c live.Count) int64 { return c.Gaps }),
		counted("cuts_total", "Changes of the picture.", func(c live.Count) int64 { return c.Cuts }),
		counted("reconnects_total", "Sessions that ended.", func(c live.Count) int64 { return c.Reconnects }),
		perSource("queue_letters", "Frames, windows and events that wait for the model.", prometheus.GaugeValue, func(c live.Count) float64 { return float64(c.Waiting) }),
		perSource("stride_seconds", "From one window to the next.", prometheus.GaugeValue, func(c live.Count) float64 { return c.Stride.Seconds() }),
		perSource("clock_error_seconds", "Bound of the error of event times.", prometheus.GaugeValue, func(c live.Count) float64 { return c.ClockError.Seconds() }),
	}
}

var (
	descEvents  = prometheus.NewDesc("captiond_events_total", "Events that are safe, by kind.", []string{"source", "kind"}, nil)
	descDropped = prometheus.NewDesc("captiond_dropped_total", "What was dropped, by what and why.", []string{"source", "what", "reason"}, nil)
	descAge     = prometheus.NewDesc("captiond_last_frame_age_seconds", "Since a frame was decoded.", []string{"source"}, nil)
	descState   = prometheus.NewDesc("captiond_camera_state", "1 for the state that a camera is in.", []string{"source", "state"}, nil)

	descBytes      = prometheus.NewDesc("captiond_outbox_bytes", "Events that wait on the disk.", nil, nil)
	descWait       = prometheus.NewDesc("captiond_outbox_oldest_seconds", "How long the first of them has waited.", nil, nil)
	descDelivered  = prometheus.NewDesc("captiond_delivered_total", "Events that the broker has.", nil, nil)
	descOutbox     = prometheus.NewDesc("captiond_outbox_dropped_total", "Events dropped from the outbox, by reason.", []string{"reason"}, nil)
	descDuplicates = prometheus.NewDesc("captiond_duplicates_total", "Deliveries that the broker knew already.", nil, nil)
	descRing       = prometheus.NewDesc("captiond_ring_bytes", "Features that are remembered.", nil, nil)
	descStretch    = prometheus.NewDesc("captiond_stride_stretch_ratio", "By how much strides are longer than asked for.", nil, nil)
)

// Describe implements prometheus.Collector: what there is depends on the cameras.
func (snapshot) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (s snapshot) Collect(out chan<- prometheus.Metric) {
	n := s.numbers()
	for source, c := range n.Cameras {
		collectCamera(out, source, c)
	}
	count := func(d *prometheus.Desc, v int64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	gauge := func(d *prometheus.Desc, v float64) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v)
	}
	gauge(descBytes, float64(n.Outbox.Bytes))
	wait := 0.0
	if !n.Outbox.Oldest.IsZero() {
		wait = time.Since(n.Outbox.Oldest).Seconds()
	}
	gauge(descWait, wait)
	count(descDelivered, n.Outbox.Delivered)
	count(descOutbox, n.Outbox.Dropped, "limits")
	count(descOutbox, n.Outbox.Corrupt, "corrupt")
	count(descDuplicates, n.Duplicates)
	gauge(descRing, float64(n.RingBytes))
	gauge(descStretch, float64(n.Stretch))
}

func collectCamera(out chan<- prometheus.Metric, source string, c live.Count) {
	for _, m := range measures() {
		out <- prometheus.MustNewConstMetric(m.desc, m.kind, m.value(c), source)
	}
	for kind, n := range c.Events {
		out <- prometheus.MustNewConstMetric(descEvents, prometheus.CounterValue, float64(n), source, string(kind))
	}
	for _, d := range []struct {
		what, reason string
		n            int64
	}{
		{"frames", "overload", c.DroppedSamples}, {"windows", "overload", c.DroppedWindows}, {"events", "outbox", c.Unsaid},
	} {
		out <- prometheus.MustNewConstMetric(descDropped, prometheus.CounterValue, float64(d.n), source, d.what, d.reason)
	}
	if !c.LastFrame.IsZero() {
		out <- prometheus.MustNewConstMetric(descAge, prometheus.GaugeValue, time.Since(c.LastFrame).Seconds(), source)
	}
	if c.State != "" {
		out <- prometheus.MustNewConstMetric(descState, prometheus.GaugeValue, 1, source, string(c.State))
	}
}
