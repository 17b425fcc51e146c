package main

import (
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/captiond/captiond/configs"
	"github.com/captiond/captiond/frames/intake"
	"github.com/captiond/captiond/frames/magic"
	"github.com/captiond/captiond/frames/picture"
	"github.com/captiond/captiond/frames/worker"
	"github.com/captiond/captiond/pipeline"
)

// A reader opens what a command line names: files, pictures, standard input.
type reader struct {
	stdin   *os.File
	decoder worker.Decoder
	limits  intake.Limits
	pixels  int // of a picture
}

func newReader(s streams, c configs.Decode, log *slog.Logger) reader {
	return reader{
		stdin:   s.in,
		decoder: newDecoder(s.decoder, c, log),
		limits:  intake.Limits{Spool: int64(c.Spool), Time: c.SpoolTime},
		pixels:  c.MaxPixels,
	}
}

// talk is what a command does with an input: one of its functions is called.
type talk struct {
	clip    func(context.Context, pipeline.Job, *worker.Clip) error
	picture func(context.Context, pipeline.Job, *image.RGBA) error
}

// read opens an input and has the job talk about it. Where a clip is damaged, the talk
// comes first and the damage is the error.
func (r reader) read(ctx context.Context, path string, j pipeline.Job, t talk) error {
	in, err := intake.Open(ctx, path, r.stdin, r.limits)
	if err != nil {
		return err
	}
	defer in.Close()
	sum, err := in.Sum(ctx)
	if err != nil {
		return err
	}
	j.Source, j.Title = "file-"+sum[:12], title(path)
	img, err := r.picture(in)
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", path, err)
	case img != nil:
		return t.picture(ctx, j, img)
	}
	if err = r.decoder.Run(ctx, in.File, func(ctx context.Context, c *worker.Clip) error {
		return talkClip(ctx, j, c, t)
	}); err != nil && !isUndelivered(err) {
		return fmt.Errorf("decode %s: %w", path, err)
	}
	return err
}

// picture decodes a still picture; it is nil for a video.
func (r reader) picture(in *intake.Input) (*image.RGBA, error) {
	if in.Kind == magic.Video {
		return nil, nil
	}
	img, err := picture.Decode(in.Reader(), picture.Limits{Pixels: int64(r.pixels)})
	if errors.Is(err, picture.ErrAnimated) {
		return nil, nil
	}
	return img, err
}

func talkClip(ctx context.Context, j pipeline.Job, c *worker.Clip, t talk) error {
	j.Created = c.Info().Created
	if err := t.clip(ctx, j, c); err != nil {
		return err
	}
	if damage := c.Info().Damage; damage != "" {
		return errors.New(damage)
	}
	return nil
}

func title(path string) string {
	if path == "-" {
		return "standard input"
	}
	return filepath.Base(path)
}

// eachInput calls do for each input in turn. A failure does not stop the rest: it is
// printed as it happens, and the error sums up.
func eachInput(ctx context.Context, stderr io.Writer, inputs []string, do func(string) error) error {
	var failed []string
	for _, in := range inputs {
		err := do(in)
		if err == nil {
			continue
		}
		if len(inputs) == 1 || ctx.Err() != nil || isUndelivered(err) {
			return err
		}
		fmt.Fprintln(stderr, "captiond:", err)
		failed = append(failed, in)
	}
	if len(failed) > 0 {
		return fmt.Errorf("%d of %d inputs failed: %s", len(failed), len(inputs), strings.Join(failed, ", "))
	}
	return nil
}
