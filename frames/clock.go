package frames

import (
	"math"
	"time"
)

// ClockSource says where a live frame's time comes from.
type ClockSource string

// The sources.
const (
	Arrival ClockSource = "arrival" // when its data arrived here
	RTCP    ClockSource = "rtcp"    // the camera's own clock, by RTCP sender reports
)

// Discontinuity says why an epoch began; it is empty where none did.
type Discontinuity string

// The reasons.
const (
	Started Discontinuity = "start" // of the stream
	Jumped  Discontinuity = "jump"  // the camera's timestamps
	Stepped Discontinuity = "clock" // the wall clock of this machine
)

// The rules of a Clock.
const (
	maxJump     = 2 * time.Second        // by which PTS may advance more or less than arrival
	maxStep     = time.Second            // of the local wall clock against the monotonic one
	trust       = 5 * time.Second        // between the camera's clock and the local estimate
	maxUneven   = 100 * time.Millisecond // by which the camera's clock may advance more or less than PTS
	drift       = 500e-6                 // fastest slew of the local estimate, in seconds a second
	chase       = 0.1                    // fastest slew towards the camera's clock, likewise
	maxChase    = 100 * time.Millisecond // of what a unit may be slewed for: PTS may be reordered
	span        = 5 * time.Second        // of a bucket of delays
	unseenDelay = 250 * time.Millisecond // what a camera and its network may need at the least
	rtcpError   = 20 * time.Millisecond  // of a camera's clock, beside what is still to be slewed
)

// oldest is when camera clocks begin to be believed; those without a battery start at 1970
// or 2000.
const oldest = 2020

// Stamp is what is known of an access unit when it arrives.
type Stamp struct {
	PTS     time.Duration // since any instant, RTP wraps undone
	Arrival time.Duration // since any instant, of the monotonic clock
	Wall    time.Time     // of this machine's clock, at arrival
	Camera  time.Time     // of the camera's clock, at capture; zero where it is not known
}

// Moment is a frame's time.
type Moment struct {
	Epoch  int64         // Unix milliseconds at which its epoch begins: no two are equal
	At     time.Duration // since the epoch's first access unit, by PTS
	Wall   time.Time     // best estimate; does not go backwards within an epoch, in PTS order
	Source ClockSource
	Error  time.Duration // bound of the error of Wall
	New    Discontinuity // the epoch begins here, and why
}

// Clock gives the access units of one live stream their times. It believes PTS for what
// lies between two frames; for the time of day it takes the arrival of the frame that was
// least delayed in the last minute, corrected by at most 500 ppm, or the camera's clock
// while that is plausible: within 5 s of the local estimate, after 2020, and in step with
// PTS. The zero value is ready; after a reconnect take a new one and give it the last epoch.
// It is used by one goroutine. Rules: Moonfire NVR's design/time.md, and what cameras do.
type Clock struct {
	Last    int64 // the epoch before, in Unix milliseconds; 0 for none
	Ignored int   // camera times that were not plausible

	begun  bool
	epoch  int64
	last   Stamp
	first  time.Duration // PTS at which the epoch begins
	base   time.Duration // what makes PTS a time of day, as Unix time; the estimate that is told
	local  time.Duration // likewise, by arrival alone
	delays delays
	camera time.Duration // likewise, by the camera's clock
	source ClockSource
}

// Read gives the time of the access unit that arrived last. Units come in the order of
// their arrival, which with B-frames is not that of their PTS.
func (c *Clock) Read(s Stamp) Moment {
	why := c.broken(s)
	if why != "" {
		c.begin(s)
	}
	c.listen(s)
	c.believe(s)
	c.slew(s.Arrival - c.last.Arrival)
	c.last = s
	return Moment{
		Epoch: c.epoch, At: s.PTS - c.first, Wall: time.Unix(0, int64(s.PTS+c.base)).UTC(),
		Source: c.source, Error: c.bound(), New: why,
	}
}

// broken says whether time goes on from the unit before.
func (c *Clock) broken(s Stamp) Discontinuity {
	if !c.begun {
		return Started
	}
	arrival, pts := s.Arrival-c.last.Arrival, s.PTS-c.last.PTS
	stepped := s.Wall.Sub(c.last.Wall) - arrival
	switch {
	case stepped.Abs() > maxStep:
		return Stepped
	case (pts-arrival).Abs() > maxJump && pts.Abs() > maxJump:
		return Jumped // without the second rule a network that stalled would be a camera that jumped
	case c.delays.recent()-c.local > maxJump:
		return Jumped // all that came lately is late: the camera stood still
	}
	return ""
}

// begin starts an epoch with the unit.
func (c *Clock) begin(s Stamp) {
	wall := time.Duration(s.Wall.UnixNano())
	c.epoch = max(s.Wall.UnixMilli(), max(c.epoch, c.Last)+1)
	c.begun, c.last, c.first = true, s, s.PTS
	c.base, c.local, c.source = wall-s.PTS, wall-s.PTS, Arrival
	c.delays = delays{}
}

// listen takes the unit's arrival into the local estimate. Wall time is the epoch's, moved
// on by the monotonic clock.
func (c *Clock) listen(s Stamp) {
	c.delays.add(s.Arrival, time.Duration(s.Wall.UnixNano())-s.PTS)
	c.local = towards(c.local, c.delays.least(), (s.Arrival-c.last.Arrival).Seconds()*drift)
}

// believe decides whether the camera's clock is taken.
func (c *Clock) believe(s Stamp) {
	if s.Camera.IsZero() {
		return // sender reports come every few seconds: what was believed holds
	}
	before := c.camera
	c.camera = time.Duration(s.Camera.UnixNano()) - s.PTS
	plausible := s.Camera.Year() >= oldest && (c.camera-c.local).Abs() <= trust
	if plausible && (c.camera-before).Abs() <= maxUneven {
		c.source = RTCP
		return
	}
	c.source = Arrival
	if before != 0 { // the first one cannot be compared
		c.Ignored++
	}
}

// slew moves the estimate that is told towards the one that is believed: never so fast that
// time would run backwards.
func (c *Clock) slew(elapsed time.Duration) {
	goal := c.local
	if c.source == RTCP {
		goal = c.camera
	}
	if c.source == Arrival && (c.base-c.local).Abs() <= maxUneven {
		c.base = towards(c.base, goal, elapsed.Seconds()*drift)
		return
	}
	// also where the camera's clock was believed, and is no more
	c.base = towards(c.base, goal, min(elapsed, maxChase).Seconds()*chase)
}

// bound is the error of what is told.
func (c *Clock) bound() time.Duration {
	if c.source == RTCP {
		return rtcpError + (c.base - c.camera).Abs()
	}
	return unseenDelay + (c.base - c.delays.least()).Abs()
}

// towards moves a value by at most so many seconds.
func towards(from, to time.Duration, seconds float64) time.Duration {
	most := time.Duration(math.Max(seconds, 0) * float64(time.Second))
	return from + min(max(to-from, -most), most)
}

// delays remembers the least delay of the last minute, in buckets of 5 s.
type delays struct {
	buckets [12]time.Duration
	n       int           // of buckets that have begun
	started time.Duration // the last one's, by arrival
}

func (d *delays) add(arrival, delay time.Duration) {
	if d.n == 0 || arrival-d.started >= span {
		d.buckets[d.n%len(d.buckets)] = delay
		d.n++
		d.started = arrival
		return
	}
	b := &d.buckets[(d.n-1)%len(d.buckets)]
	*b = min(*b, delay)
}

// least is that of all buckets.
func (d *delays) least() time.Duration { return d.over(len(d.buckets)) }

// recent is that of the last full bucket and the one under way; of more where there is none
// that is full.
func (d *delays) recent() time.Duration { return d.over(2) }

func (d *delays) over(buckets int) time.Duration {
	least := time.Duration(math.MaxInt64)
	for i := range min(buckets, d.n) {
		least = min(least, d.buckets[(d.n-1-i)%len(d.buckets)])
	}
	return least
}
