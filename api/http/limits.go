package http

import (
	"cmp"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/captiond/captiond/api"
	"github.com/captiond/captiond/api/tokens"
)

// Limits are what clients are held to. What is zero is as DefaultLimits has it.
type Limits struct {
	Upload int64 // bytes of one upload
	Clip   int64 // bytes of a picture or clip that comes with its questions

	Connections  int // that are open; more wait
	Requests     int // under way at once; more are told to come later, as all below
	Uploads      int // under way at once: bodies that come in
	UploadsOfOne int // of one caller

	PerSecond      rate.Limit // requests of one caller, but those below
	AsksPerSecond  rate.Limit // of one caller: questions, captions and labels
	SendsPerSecond rate.Limit // of one caller: uploads and their parts

	Header   time.Duration // that the head of a request may take
	Patience time.Duration // without a byte, when reading or writing
	Grace    time.Duration // after which a body must have come at Speed on average
	Speed    int64         // bytes a second
}

// DefaultLimits are for a machine that serves a household or a team.
func DefaultLimits() Limits {
	return Limits{
		Upload: 2 << 30, Clip: 64 << 20,
		Connections: 1024, Requests: 256, Uploads: 32, UploadsOfOne: 8,
		PerSecond: 100, AsksPerSecond: 50, SendsPerSecond: 50,
		Header: 5 * time.Second, Patience: 30 * time.Second, Grace: 10 * time.Second, Speed: 1 << 10,
	}
}

func (l Limits) orDefault() Limits {
	d := DefaultLimits()
	return Limits{
		Upload: cmp.Or(l.Upload, d.Upload), Clip: cmp.Or(l.Clip, d.Clip),
		Connections: cmp.Or(l.Connections, d.Connections), Requests: cmp.Or(l.Requests, d.Requests),
		Uploads: cmp.Or(l.Uploads, d.Uploads), UploadsOfOne: cmp.Or(l.UploadsOfOne, d.UploadsOfOne),
		PerSecond: cmp.Or(l.PerSecond, d.PerSecond), AsksPerSecond: cmp.Or(l.AsksPerSecond, d.AsksPerSecond),
		SendsPerSecond: cmp.Or(l.SendsPerSecond, d.SendsPerSecond),
		Header:         cmp.Or(l.Header, d.Header), Patience: cmp.Or(l.Patience, d.Patience),
		Grace: cmp.Or(l.Grace, d.Grace), Speed: cmp.Or(l.Speed, d.Speed),
	}
}

// burst is how many seconds' worth of requests may come at once.
const burst = 4

// maxCallers is how many callers are told apart. Those after them share one bucket, until
// others have been quiet for as long as a bucket takes to fill.
const maxCallers = 10_000

// buckets hold each caller to a rate.
type buckets struct {
	rate rate.Limit

	mu   sync.Mutex
	each map[string]*bucket
}

type bucket struct {
	*rate.Limiter
	last time.Time
}

func newBuckets(r rate.Limit) *buckets { return &buckets{rate: r, each: make(map[string]*bucket)} }

// take is nil where the caller may go on.
func (b *buckets) take(caller string, now time.Time) error {
	r := b.of(caller, now).ReserveN(now, 1)
	wait := r.DelayFrom(now)
	if wait == 0 {
		return nil
	}
	r.CancelAt(now)
	return api.Later(http.StatusTooManyRequests, wait, "these are too many requests in a short time: send fewer, or wait")
}

func (b *buckets) of(caller string, now time.Time) *rate.Limiter {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.each[caller] == nil && len(b.each) >= maxCallers {
		b.forget(now.Add(-burst * time.Second))
		if len(b.each) >= maxCallers {
			caller = "" // no caller has this name
		}
	}
	if b.each[caller] == nil {
		b.each[caller] = &bucket{Limiter: rate.NewLimiter(b.rate, max(1, int(burst*float64(b.rate))))}
	}
	b.each[caller].last = now
	return b.each[caller].Limiter
}

// forget drops callers whose buckets are full again: new ones are the same.
func (b *buckets) forget(quiet time.Time) {
	for name, one := range b.each {
		if one.last.Before(quiet) {
			delete(b.each, name)
		}
	}
}

// gates count what is under way: in all, and of one caller.
type gates struct {
	all, ofOne int

	mu    sync.Mutex
	count int
	each  map[string]int
}

func newGates(all, ofOne int) *gates {
	return &gates{all: all, ofOne: ofOne, each: make(map[string]int)}
}

// later is when to come again to a door where too many are.
const later = 5 * time.Second

// enter is nil where there is room; then leave must be called.
func (g *gates) enter(caller string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.count >= g.all:
		return api.Later(http.StatusServiceUnavailable, later, "the daemon has as much to do as it takes at once: come again")
	case g.each[caller] >= g.ofOne:
		return api.Later(http.StatusTooManyRequests, later, "you have as much under way as one client may: let some of it end first")
	}
	g.count++
	g.each[caller]++
	return nil
}

func (g *gates) leave(caller string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.count--
	if g.each[caller]--; g.each[caller] == 0 {
		delete(g.each, caller)
	}
}

// rates are the buckets of each kind of request.
func (l Limits) rates() map[tokens.Scope]*buckets {
	return map[tokens.Scope]*buckets{
		tokens.Read: newBuckets(l.PerSecond), tokens.Ask: newBuckets(l.AsksPerSecond), tokens.Upload: newBuckets(l.SendsPerSecond),
	}
}
