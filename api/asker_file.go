package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/captiond/captiond/frames"
	"github.com/captiond/captiond/model"
	"github.com/captiond/captiond/pipeline"
	"github.com/captiond/captiond/pipeline/files"
	"github.com/captiond/captiond/pipeline/recall"
)

// findVideo finds an upload.
func (a *Asker) findVideo(ctx context.Context, r request) (*target, error) {
	v, err := a.voice(r)
	if err != nil {
		return nil, err
	}
	f, video, err := a.o.Media(ctx, r.Caller, r.Video)
	if err != nil {
		return nil, err
	}
	in := pipeline.Input{Source: files.Source(video.ID), Title: video.Title}
	return a.fileTarget(r, pipeline.Job{Input: in, Voice: v}, in.Source, f), nil
}

// findFile finds what came with a question. The same bytes are the same subject, whoever
// sends them.
func (a *Asker) findFile(ctx context.Context, r request) (*target, error) {
	v, err := a.voice(r)
	if err != nil {
		return nil, err
	}
	sum, err := sumOf(ctx, r.File)
	if err != nil {
		return nil, err
	}
	f, err := duplicate(r.File)
	if err != nil {
		return nil, err
	}
	in := pipeline.Input{Source: "file-" + sum[:12], Title: r.Title}
	return a.fileTarget(r, pipeline.Job{Input: in, Voice: v}, "file-"+sum, f), nil
}

// fileTarget looks at a file, which it takes over.
func (a *Asker) fileTarget(r request, j pipeline.Job, subject string, f *os.File) *target {
	stretch := r.Stretch.clip()
	return &target{
		Input: j.Input, Voice: j.Voice, file: f,
		key: recall.Key{Subject: subject, Detail: fmt.Sprintf("%d-%d ms of %s", stretch.From.Milliseconds(), stretch.To.Milliseconds(), eye(j.Voice))},
		see: func(ctx context.Context, f *os.File) (*pipeline.Scene, error) { return a.see(ctx, j, f, stretch) },
	}
}

// eye is what a scene depends on beside what is seen. A checkpoint that is open twice, under
// two names, has two models, and neither knows the other's scenes.
func eye(v pipeline.Voice) string {
	return fmt.Sprintf("%s %p view=%v %s", v.Name, v.Captioner, v.View, v.Settings)
}

// see opens a file and looks at a stretch of it.
func (a *Asker) see(ctx context.Context, j pipeline.Job, f *os.File, stretch frames.Stretch) (scene *pipeline.Scene, err error) {
	opened := false
	err = a.o.Open(ctx, f, func(ctx context.Context, footage pipeline.Footage) (err error) {
		opened = true
		scene, err = seeFootage(ctx, j, footage, stretch)
		return err
	})
	switch _, told := errors.AsType[*Error](err); {
	case scene != nil: // what else is wrong with the file is not asked
		return scene, nil
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case opened || told:
		return nil, err
	}
	return nil, undecodable(err)
}

func seeFootage(ctx context.Context, j pipeline.Job, f pipeline.Footage, stretch frames.Stretch) (*pipeline.Scene, error) {
	w, err := f.Window(stretch)
	if err != nil {
		return nil, unprocessable("%v", err)
	}
	var clip followed
	if f.Clip != nil {
		clip.Clip, j.Created = f.Clip, f.Clip.Info().Created
		f.Clip = &clip
	}
	s, err := j.See(ctx, f, w)
	if clip.err != nil || errors.Is(err, pipeline.ErrNoFrame) || errors.Is(err, model.ErrTooNarrow) {
		return nil, undecodable(err)
	}
	return s, err
}

func undecodable(err error) error { return unprocessable("the file cannot be decoded: %v", err) }

// followed is a clip whose failures are told from the model's.
type followed struct {
	pipeline.Clip
	err error
}

// Show implements pipeline.Clip.
func (c *followed) Show(ctx context.Context, instants []time.Duration) iter.Seq2[frames.Sample, error] {
	return func(yield func(frames.Sample, error) bool) {
		for s, err := range c.Clip.Show(ctx, instants) {
			if err != nil {
				c.err = err
			}
			if !yield(s, err) {
				return
			}
		}
	}
}

// duplicate is the same open file under a descriptor of its own, which outlives the caller's.
func duplicate(f *os.File) (*os.File, error) {
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, fmt.Errorf("keep file open: %w", err)
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}

// sumOf is the SHA-256 of a file's content in hexadecimal.
func sumOf(ctx context.Context, f *os.File) (string, error) {
	h, buffer := sha256.New(), make([]byte, 1<<20)
	for at := int64(0); ; {
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		n, err := f.ReadAt(buffer, at)
		h.Write(buffer[:n])
		at += int64(n)
		if errors.Is(err, io.EOF) {
			return hex.EncodeToString(h.Sum(nil)), nil
		}
		if err != nil {
			return "", fmt.Errorf("read file: %w", err)
		}
	}
}
