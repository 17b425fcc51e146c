package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/captiond/captiond/frames/opencv"
	"github.com/captiond/captiond/frames/worker"
	"github.com/captiond/captiond/model"
	"github.com/captiond/captiond/model/ort"
)

func newDoctor(s streams) *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Say what works here, what does not and what to do",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			t, err := openTool(cmd, s)
			if err != nil {
				return err
			}
			return t.examine(cmd.Context())
		},
	}
}

// A finding is what a check found. A warning is worth reading, but captiond works.
type finding struct {
	detail  string
	warning bool
}

// examine runs all checks, each with a line of its own, and fails if one did.
func (t *tool) examine(ctx context.Context) error {
	failed := 0
	probe := sync.OnceValues(func() (worker.Ready, error) { return t.reader.decoder.Probe(ctx) })
	t.log = slog.New(slog.DiscardHandler) // the findings say it all
	for _, check := range []struct {
		name string
		run  func(context.Context) (finding, error)
	}{
		{"onnx runtime", t.checkRuntime},
		{"device", t.checkDevice},
		{"model", t.checkModel},
		{"decoder", func(context.Context) (finding, error) { return checkDecoder(probe()) }},
		{"sandbox", func(context.Context) (finding, error) { return checkSandbox(probe()) }},
		{"opencv", func(context.Context) (finding, error) { return finding{detail: opencv.Version()}, nil }},
		{"state", t.checkState},
		{"broker", t.checkBroker},
	} {
		found, err := check.run(ctx)
		mark := "ok  "
		switch {
		case err != nil:
			mark, found.detail = "FAIL", err.Error()
			failed++
		case found.warning:
			mark = "warn"
		}
		fmt.Fprintf(t.streams.out, "%s  %-13s %s\n", mark, check.name, strings.ReplaceAll(found.detail, "\n", "\n                     "))
	}
	if failed > 0 {
		return fmt.Errorf("%d checks failed: do what their lines say; `make deps` installs all that can be missing", failed)
	}
	return nil
}

func (t *tool) checkRuntime(ctx context.Context) (f finding, err error) {
	path, how, err := ort.Find(t.config.Model.Library)
	if err != nil {
		return f, err
	}
	rt, err := t.openRuntime(ctx)
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, rt.Close()) }()
	f.detail = fmt.Sprintf("%s, %s (found: %s)", rt.Version(), path, how)
	if rt.Version() != wantRuntime {
		f.warning = true
		f.detail += "; captiond is tested with " + wantRuntime
	}
	return f, nil
}

// wantRuntime is the version of ONNX Runtime that `make deps` fetches.
const wantRuntime = "1.27.0"

func (t *tool) checkDevice(ctx context.Context) (f finding, err error) {
	rt, err := t.openRuntime(ctx)
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, rt.Close()) }()
	f.detail = rt.Device()
	if reason := rt.Fallback(); reason != nil {
		f.warning = t.config.Model.Device == "cuda"
		f.detail += fmt.Sprintf(" (no gpu: %v)", reason)
	}
	return f, nil
}

// checkModel opens the models that are configured, and has the built-in one speak.
func (t *tool) checkModel(ctx context.Context) (f finding, err error) {
	names := slices.Compact([]string{t.config.Model.Caption, t.config.Model.Answer})
	var opened []string
	for _, name := range names {
		if err := t.withModel(ctx, name, func(m *model.Model) error {
			opened = append(opened, fullName(m))
			return t.verifyKnown(ctx, m, name)
		}); err != nil {
			return f, err
		}
	}
	f.detail = strings.Join(opened, ", ")
	if slices.Contains(names, builtIn) {
		f.detail += ": the built-in one, which knows moving shapes and nothing else; name a checkpoint with --model"
	}
	return f, nil
}

func checkDecoder(ready worker.Ready, err error) (finding, error) {
	if err != nil {
		return finding{}, err
	}
	version := ready.Libraries["ffmpeg"]
	f := finding{detail: "FFmpeg " + version}
	for _, name := range slices.Sorted(maps.Keys(ready.Libraries)) {
		if name != "ffmpeg" {
			f.detail += ", " + name + " " + ready.Libraries[name]
		}
	}
	if unpatched(version) {
		f.warning = true
		f.detail += "; 5.1.10 mends decoders: install the distribution's security updates"
	}
	return f, nil
}

// unpatched says that a version of FFmpeg 5.1 comes before 5.1.10, whose fixes of June 2026
// (CVE-2026-8461 among them) a distribution may also have taken over without the number.
func unpatched(version string) bool {
	var patch int
	n, _ := fmt.Sscanf(version, "5.1.%d", &patch)
	return n == 1 && patch < 10
}

func checkSandbox(ready worker.Ready, err error) (finding, error) {
	switch {
	case err != nil:
		return finding{}, err
	case !ready.Seccomp:
		return finding{detail: "resource limits alone: this kernel has no seccomp, and decode.sandbox is weak", warning: true}, nil
	case ready.Landlock == 0:
		return finding{detail: "seccomp and resource limits; this kernel has no Landlock (Linux 5.13 and later do, where lsm= names it)", warning: true}, nil
	}
	return finding{detail: fmt.Sprintf("seccomp, Landlock ABI %d, resource limits", ready.Landlock)}, nil
}

// checkState sees whether the state folder can be written.
func (t *tool) checkState(context.Context) (finding, error) {
	if t.config.State == "" {
		return finding{}, errors.New("no folder is known: set --state, or HOME")
	}
	if err := os.MkdirAll(t.config.State, 0o700); err != nil {
		return finding{}, fmt.Errorf("create state folder: %w; name another with --state", err)
	}
	f, err := os.CreateTemp(t.config.State, ".doctor-*")
	if err != nil {
		return finding{}, fmt.Errorf("write in state folder: %w; name another with --state", err)
	}
	return finding{detail: filepath.Clean(t.config.State)}, errors.Join(f.Close(), os.Remove(f.Name()))
}
