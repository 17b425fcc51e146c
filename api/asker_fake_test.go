package api_test

import (
	"context"
	"errors"
	"image"
	"io"
	"iter"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/captiond/captiond/api"
	"github.com/captiond/captiond/frames"
	"github.com/captiond/captiond/model"
	"github.com/captiond/captiond/pipeline"
	"github.com/captiond/captiond/pipeline/files"
	"github.com/captiond/captiond/pipeline/live"
	"github.com/captiond/captiond/pipeline/recall"
	"github.com/captiond/captiond/sinks"
)

// parrot is a model that counts what it is asked for and repeats its prompt.
type parrot struct{ encoded, begun, pictures, generated atomic.Int64 }

func (p *parrot) EncodeAll(_ context.Context, imgs []*image.RGBA, _ model.View) (fs []*model.Features, _ error) {
	for range imgs {
		p.encoded.Add(1)
		fs = append(fs, new(model.Features))
	}
	return fs, nil
}

func (p *parrot) BeginAll(_ context.Context, windows [][]*model.Features) (*model.Prefix, error) {
	p.begun.Add(int64(len(windows)))
	return new(model.Prefix), nil
}

func (p *parrot) BeginPicture(context.Context, *model.Features) (*model.Prefix, error) {
	p.pictures.Add(1)
	return new(model.Prefix), nil
}

func (p *parrot) GenerateAll(_ context.Context, _ *model.Prefix, rs []model.Request) (texts []model.Text, err error) {
	for _, r := range rs {
		p.generated.Add(1)
		texts = append(texts, model.Text{Text: strings.TrimSpace("heard " + r.Prompt), Confidence: 0.5, MinConfidence: 0.25})
	}
	return texts, nil
}

// reel is a clip of 12 s, ten frames a second, that breaks off with err where that is set.
type reel struct{ err error }

func (reel) Info() frames.Info {
	return frames.Info{Duration: 12 * time.Second, Created: time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)}
}

func (c reel) Show(_ context.Context, at []time.Duration) iter.Seq2[frames.Sample, error] {
	return func(yield func(frames.Sample, error) bool) {
		for i, t := range at {
			if c.err != nil {
				yield(frames.Sample{}, c.err)
				return
			}
			s := frames.Sample{First: i, Count: 1, Frame: frames.Frame{
				Image: image.NewRGBA(image.Rect(0, 0, 1, 1)), PTS: t.Truncate(100 * time.Millisecond),
			}}
			if !yield(s, nil) {
				return
			}
		}
	}
}

// studio is an Asker with all its fakes. Files hold what they are: "clip", "picture", or why
// they cannot be decoded. Uploads are clips, and belong to anna.
type studio struct {
	*api.Asker
	options api.AskerOptions
	parrot  parrot
	owl     parrot // the answer model of cameras, where it is another
	opened  atomic.Int64
	folder  string
	hold    chan struct{} // where it is set, files open when it is closed
	cameras map[string]live.Camera
}

var errDamaged = errors.New("no progress for 10s")

func newStudio(t *testing.T) *studio {
	t.Helper()
	s := &studio{folder: t.TempDir(), cameras: map[string]live.Camera{}}
	scenes := recall.New[*pipeline.Scene](1 << 20)
	t.Cleanup(scenes.Close)
	s.options = api.AskerOptions{
		Open: s.open, Voice: s.voice, Media: s.media, Ring: live.NewRing(time.Hour, 1<<20), Scenes: scenes,
		Camera: func(name string) (live.Camera, bool) { c, ok := s.cameras[name]; return c, ok },
	}
	s.Asker = api.NewAsker(s.options)
	return s
}

// speaks is a voice of six frames.
func speaks(p *parrot, name string) pipeline.Voice {
	return pipeline.Voice{Captioner: p, Name: name, Samples: 6}
}

func (s *studio) voice(name string, kind sinks.Kind) (pipeline.Voice, error) {
	switch {
	case name == "" && kind == sinks.KindCaption, name == "parrot":
		return speaks(&s.parrot, "parrot@000000000000"), nil
	case name == "", name == "owl":
		return speaks(&s.parrot, "owl@111111111111"), nil
	case name == "broken":
		return pipeline.Voice{}, errors.New("open /secret/folder: no such file")
	}
	return pipeline.Voice{}, api.Errorf(422, "there is no model %s", name)
}

func (s *studio) media(_ context.Context, c api.Caller, id string) (*os.File, files.Video, error) {
	if id != "4711" || !c.Owns("anna") {
		return nil, files.Video{}, api.Errorf(404, "there is no video %.40q", id)
	}
	f, err := s.write("clip")
	return f, files.Video{ID: id, Title: "holiday.mp4", Owner: "anna"}, err
}

// write makes a file.
func (s *studio) write(content string) (*os.File, error) {
	f, err := os.CreateTemp(s.folder, "file")
	if err != nil {
		return nil, err
	}
	_, err = f.WriteString(content)
	return f, err
}

func (s *studio) open(ctx context.Context, f *os.File, use func(context.Context, pipeline.Footage) error) error {
	s.opened.Add(1)
	if s.hold != nil {
		select {
		case <-s.hold:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	content, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<20))
	if err != nil {
		return err
	}
	switch what := strings.TrimSpace(string(content)); what {
	case "clip":
		return use(ctx, pipeline.Footage{Clip: reel{}})
	case "picture":
		return use(ctx, pipeline.Footage{Picture: image.NewRGBA(image.Rect(0, 0, 1, 1))})
	case "breaks off":
		return use(ctx, pipeline.Footage{Clip: reel{errDamaged}})
	case "truncated": // it is shown, and the damage told behind
		return errors.Join(use(ctx, pipeline.Footage{Clip: reel{}}), errDamaged)
	case "text":
		return api.Errorf(415, "this is text")
	default:
		return errors.New(what)
	}
}

// file is an open file with some content.
func (s *studio) file(t *testing.T, content string) api.Subject {
	t.Helper()
	f, err := s.write(content)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() }) // some tests close it
	return api.Subject{File: f, Title: "clip.mp4"}
}

// refused fails the test where an error is not one for the client, of a status and with words.
func refused(t *testing.T, err error, status int, words string) {
	t.Helper()
	e, ok := errors.AsType[*api.Error](err)
	if !ok || e.Status != status || !strings.Contains(e.Message, words) {
		t.Errorf("%d %v, want %d %q", api.Status(err), err, status, words)
	}
}

func seconds(s float64) *api.Moment {
	return &api.Moment{Offset: sinks.SecondsOf(time.Duration(s * float64(time.Second)))}
}

func clock(at time.Time) *api.Moment { return &api.Moment{Time: at} }
