package nats

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// duplicateWindow is how long the stream knows an id again.
const duplicateWindow = time.Hour

// Stream is the name of the stream: the prefix in capitals, CAPTIOND by default.
func (c *Client) Stream() string { return strings.ToUpper(c.o.Prefix) }

func (c *Client) subjects() []string {
	p := c.o.Prefix
	return []string{p + ".captions.>", p + ".answers.>", p + ".events.>", p + ".jobs.>"}
}

// ensure finds the stream or creates it, once. A stream made by someone else is used as
// it is, if it takes our subjects.
func (c *Client) ensure(ctx context.Context) error {
	if c.found.Load() {
		return nil
	}
	s, err := c.js.Stream(ctx, c.Stream())
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		s, err = c.create(ctx)
	}
	if err != nil {
		return fmt.Errorf("open stream %s: %w", c.Stream(), err)
	}
	if err := c.fits(s.CachedInfo().Config); err != nil {
		return err
	}
	c.found.Store(true)
	return nil
}

func (c *Client) create(ctx context.Context) (jetstream.Stream, error) {
	s, err := c.js.CreateStream(ctx, jetstream.StreamConfig{
		Name: c.Stream(), Description: "captions, answers and events of captiond",
		Subjects: c.subjects(), Storage: jetstream.FileStorage, Discard: jetstream.DiscardOld,
		MaxAge: c.o.Retention, MaxBytes: c.o.MaxBytes, Duplicates: min(duplicateWindow, c.o.Retention),
	})
	if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) { // another captiond was faster
		return c.js.Stream(ctx, c.Stream())
	}
	return s, err
}

// fits refuses a stream that would not take our events.
func (c *Client) fits(has jetstream.StreamConfig) error {
	var missing []string
	for _, s := range c.subjects() {
		if !slices.ContainsFunc(has.Subjects, func(h string) bool { return covers(h, s) }) {
			missing = append(missing, s)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("open stream %s: it does not hold %s: add them to its subjects, or choose another prefix",
			has.Name, strings.Join(missing, ", "))
	}
	if has.Duplicates < min(duplicateWindow, c.o.Retention) {
		c.o.Logger.Warn("nats stream forgets ids early: a caption may appear twice after an outage",
			"stream", has.Name, "duplicate_window", has.Duplicates, "want", duplicateWindow)
	}
	return nil
}

// covers says whether the subjects of pattern a include all those of pattern b.
func covers(a, b string) bool {
	as, bs := strings.Split(a, "."), strings.Split(b, ".")
	for i, t := range as {
		switch {
		case t == ">":
			return len(bs) > i
		case i >= len(bs) || bs[i] == ">" || t != "*" && t != bs[i]:
			return false
		}
	}
	return len(as) == len(bs)
}
