package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/captiond/captiond/configs"
	"github.com/captiond/captiond/sinks"
	"github.com/captiond/captiond/sinks/jsonl"
	"github.com/captiond/captiond/sinks/nats"
)

// watchOptions are the flags of `captiond watch`.
type watchOptions struct {
	since  time.Duration
	format string
}

func newWatch(s streams) *cobra.Command {
	var o watchOptions
	cmd := &cobra.Command{
		Use:   "watch [SOURCE...]",
		Short: "Print captions, answers and events as they come",
		Long: `Print captions, answers and events as they come, from any captiond's NATS server, until
interrupted. SOURCE is a camera's name, or file-... and job-... as events state it; all are
watched where none is given. A server or a stream that is not there is waited for, and
after a disconnect nothing is left out.`,
		Example: `  captiond watch
  captiond watch --since 10m -o jsonl front-door --nats nats://host:4222`,
		RunE: func(cmd *cobra.Command, sources []string) error { return o.run(cmd, s, sources) },
	}
	f := cmd.Flags()
	f.DurationVar(&o.since, "since", 0, "begin so far in the past; 0 is with what is new")
	f.StringVarP(&o.format, "output", "o", "text", "form of the output: text or jsonl")
	return cmd
}

func (o watchOptions) run(cmd *cobra.Command, s streams, sources []string) error {
	var err error
	if o.since < 0 {
		err = usageError{fmt.Errorf("--since %v: it is not in the past", o.since)}
	}
	if o.format != "text" && o.format != "jsonl" {
		err = errors.Join(err, usageError{fmt.Errorf("unknown output %q: use text or jsonl", o.format)})
	}
	for _, source := range sources {
		if !sinks.ValidName(source) {
			err = errors.Join(err, usageError{fmt.Errorf("%q is no source's name: use A-Z a-z 0-9 _ -, 64 at most", source)})
		}
	}
	if err != nil {
		return err
	}
	t, err := openTool(cmd, s)
	if err != nil {
		return err
	}
	var out sinks.Sink = jsonl.New(s.out)
	if o.format == "text" {
		out = lines{s.out}
	}
	return t.watch(cmd.Context(), o.since, sources, out)
}

// watch writes events until ctx ends, whose error it returns.
func (t *tool) watch(ctx context.Context, since time.Duration, sources []string, out sinks.Sink) (err error) {
	options := natsOptions(t.config.NATS, t.log)
	if options.URL == "" { // the daemon's own server on this machine
		options.URL = "nats://" + t.config.NATS.Listen
	}
	client, err := nats.Dial(options)
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, client.Close(context.WithoutCancel(ctx)), out.Close(context.WithoutCancel(ctx)))
	}()
	var from nats.From
	if since > 0 {
		from.Since = time.Now().Add(-since)
	}
	for e, err := range client.Watch(ctx, from, subjects(t.config.NATS, sources)...) {
		if err != nil {
			t.log.Warn("an event cannot be read", "reason", err)
			continue
		}
		if err := out.Publish(ctx, e); err != nil {
			return fmt.Errorf("write event: %w", err)
		}
	}
	return ctx.Err()
}

// subjects are those of the sources; none for all.
func subjects(c configs.NATS, sources []string) (all []string) {
	for _, source := range sources {
		all = append(all, sinks.Subjects(c.Prefix, source)...)
	}
	return all
}

// lines are events as people read them.
type lines struct{ out io.Writer }

// Publish implements sinks.Sink.
func (l lines) Publish(_ context.Context, e sinks.Event) error {
	when, what := spoken(e)
	_, err := fmt.Fprintf(l.out, "%s  %s  %s\n", when, e.Head().Source, what)
	return err
}

// Close implements sinks.Sink.
func (lines) Close(context.Context) error { return nil }

// spoken is when something was, and what.
func spoken(e sinks.Event) (when, what string) {
	switch e := e.(type) {
	case *sinks.Caption:
		return moment(e.Span), e.Text
	case *sinks.Answer:
		return moment(e.Span), e.Question + " " + e.Text
	case *sinks.Cut:
		return e.Start.String(), "[cut]"
	case *sinks.Gap:
		return e.Start.String(), fmt.Sprintf("[gap to %v: %s, %d frames lost]", e.End, e.Reason, e.FramesLost)
	case *sinks.Reset:
		return "0", fmt.Sprintf("[new epoch: %s]", e.Reason)
	case *sinks.Degraded:
		return "-", fmt.Sprintf("[a window every %v instead of %v: %s]", e.StrideNow, e.StrideBefore, e.Reason)
	case *sinks.Unchanged:
		return e.Since.String(), fmt.Sprintf("[%d more of: %s]", e.Count, e.Text)
	case *sinks.Status:
		return "-", fmt.Sprintf("[%s] %s", e.State, e.Detail)
	case *sinks.Job:
		return "-", fmt.Sprintf("[%s] %s", e.State, e.Detail)
	}
	return "-", fmt.Sprintf("[%s]", e.Kind())
}

// moment is a window's time: of day where it is known, else on the source's timeline.
func moment(s sinks.Span) string {
	if s.StartTime.IsZero() {
		return fmt.Sprintf("%v-%v", s.Start, s.End)
	}
	return s.StartTime.Local().Format("15:04:05") + "-" + s.EndTime.Local().Format("15:04:05")
}
