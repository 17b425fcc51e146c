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
	requests requests
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
	m.requests = newRequests(m.registry)
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

// Describe implements prometheus.Collector: what there is depends on the cameras.
func (snapshot) Describe(chan<- *prometheus.Desc) {}

// A reading is one number as it is told.
type reading struct {
	name, help string
	kind       prometheus.ValueType
	value      float64
	labels     prometheus.Labels
}

// Collect implements prometheus.Collector.
func (s snapshot) Collect(out chan<- prometheus.Metric) {
	n := s.numbers()
	all := n.readings()
	for source, c := range n.Cameras {
		for _, r := range cameraReadings(c) {
			if r.labels == nil {
				r.labels = prometheus.Labels{}
			}
			r.labels["source"] = source
			all = append(all, r)
		}
	}
	for _, r := range all {
		out <- prometheus.MustNewConstMetric(prometheus.NewDesc("captiond_"+r.name, r.help, nil, r.labels), r.kind, r.value)
	}
}

func count(name, help string, n int64) reading {
	return reading{name, help, prometheus.CounterValue, float64(n), nil}
}

func gauge(name, help string, v float64) reading {
	return reading{name, help, prometheus.GaugeValue, v, nil}
}

func (r reading) with(labels prometheus.Labels) reading {
	r.labels = labels
	return r
}

func (n Numbers) readings() []reading {
	wait := 0.0
	if !n.Outbox.Oldest.IsZero() {
		wait = time.Since(n.Outbox.Oldest).Seconds()
	}
	const dropped = "Events dropped from the outbox, by reason."
	return []reading{
		gauge("outbox_events", "Events that wait on the disk.", float64(n.Outbox.Waiting)),
		gauge("outbox_bytes", "The disk that the outbox takes.", float64(n.Outbox.Bytes)),
		gauge("outbox_oldest_seconds", "How long the first of them has waited.", wait),
		count("delivered_total", "Events that the broker has.", n.Outbox.Delivered),
		count("outbox_dropped_total", dropped, n.Outbox.Dropped).with(prometheus.Labels{"reason": "limits"}),
		count("outbox_dropped_total", dropped, n.Outbox.Refused).with(prometheus.Labels{"reason": "refused"}),
		count("outbox_dropped_total", dropped, n.Outbox.Corrupt).with(prometheus.Labels{"reason": "corrupt"}),
		count("duplicates_total", "Deliveries that the broker knew already.", n.Duplicates),
		gauge("ring_bytes", "Features that are remembered.", float64(n.RingBytes)),
		gauge("stride_stretch_ratio", "By how much strides are longer than asked for.", float64(n.Stretch)),
	}
}

// cameraReadings are those of a camera; all have its source as a label.
func cameraReadings(c live.Count) []reading {
	const dropped = "What was dropped, by what and why."
	all := []reading{
		count("units_total", "Access units received.", c.Units),
		count("lost_packets_total", "RTP packets that did not arrive.", c.LostPackets),
		count("frames_total", "Frames decoded.", c.Frames),
		count("sampled_frames_total", "Frames looked at.", c.Sampled),
		count("encoder_runs_total", "Frames encoded.", c.Encoded),
		count("still_frames_total", "Frames not encoded, because nothing had changed.", c.Still),
		count("windows_total", "Windows that were complete.", c.Windows),
		count("decoded_windows_total", "Windows that texts were generated about.", c.Begun),
		count("texts_total", "Texts generated.", c.Generated),
		count("gaps_total", "Stretches that were not seen.", c.Gaps),
		count("cuts_total", "Changes of the picture.", c.Cuts),
		count("reconnects_total", "Sessions that ended.", c.Reconnects),
		count("dropped_total", dropped, c.DroppedSamples).with(prometheus.Labels{"what": "frames", "reason": "overload"}),
		count("dropped_total", dropped, c.DroppedWindows).with(prometheus.Labels{"what": "windows", "reason": "overload"}),
		count("dropped_total", dropped, c.DroppedUnits).with(prometheus.Labels{"what": "units", "reason": "overload"}),
		count("dropped_total", dropped, c.Skipped).with(prometheus.Labels{"what": "frames", "reason": "damaged"}),
		count("dropped_total", dropped, c.Unsaid).with(prometheus.Labels{"what": "events", "reason": "outbox"}),
		gauge("queue_letters", "Frames, windows and events that wait for the model.", float64(c.Waiting)),
		gauge("stride_seconds", "From one window to the next.", c.Stride.Seconds()),
		gauge("clock_error_seconds", "Bound of the error of event times.", c.ClockError.Seconds()),
	}
	for kind, n := range c.Events {
		all = append(all, count("events_total", "Events that are safe, by kind.", n).with(prometheus.Labels{"kind": string(kind)}))
	}
	if !c.LastFrame.IsZero() {
		all = append(all, gauge("last_frame_age_seconds", "Since a frame was decoded.", time.Since(c.LastFrame).Seconds()))
	}
	if c.State != "" {
		all = append(all, gauge("camera_state", "1 for the state that a camera is in.", 1).with(prometheus.Labels{"state": string(c.State)}))
	}
	return all
}
