package main

import (
	"context"
	"errors"
	"image"
	"iter"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/captiond/captiond/configs"
	"github.com/captiond/captiond/demo/camera"
	"github.com/captiond/captiond/demo/world"
	"github.com/captiond/captiond/model"
	"github.com/captiond/captiond/pipeline"
	"github.com/captiond/captiond/pipeline/live"
	"github.com/captiond/captiond/sinks"
)

// timed is a model whose time is counted.
type timed struct {
	pipeline.Captioner
	took *atomic.Int64
}

func (m timed) count(begun time.Time) { m.took.Add(int64(time.Since(begun))) }

func (m timed) EncodeAll(ctx context.Context, imgs []*image.RGBA, v model.View) ([]*model.Features, error) {
	defer m.count(time.Now())
	return m.Captioner.EncodeAll(ctx, imgs, v)
}

func (m timed) BeginAll(ctx context.Context, windows [][]*model.Features) (*model.Prefix, error) {
	defer m.count(time.Now())
	return m.Captioner.BeginAll(ctx, windows)
}

func (m timed) GenerateAll(ctx context.Context, p *model.Prefix, rs []model.Request) ([]model.Text, error) {
	defer m.count(time.Now())
	return m.Captioner.GenerateAll(ctx, p, rs)
}

// BenchmarkStill is the model's time for a camera that shows a still scene, as a part of its time
// for one that shows a scene of 4 s after another: side by side for eight minutes, the first
// pictures among them, gate on, a window each second.
func BenchmarkStill(b *testing.B) {
	const long = 8 * time.Minute
	m := openModels(b, builtIn, builtIn)
	shows := []iter.Seq[*world.Scene]{scenes(41), world.Scenes(42, world.Options{Duration: time.Hour})} // that moves after 12 minutes
	for b.Loop() {
		var took [2]atomic.Int64
		var captions [2]live.Stats
		var watching sync.WaitGroup
		stop := make(chan struct{})
		for i, show := range shows {
			c := stillCamera(b, m, startCamera(b, camera.Options{Scenes: show}).URL())
			c.Caption.Captioner = timed{c.Caption.Captioner, &took[i]}
			c.Answer = c.Caption
			watching.Go(func() {
				if err := live.Run(b.Context(), stop, c, &captions[i]); err != nil && !errors.Is(err, context.Canceled) {
					b.Error(err)
				}
			})
		}
		<-time.After(long)
		close(stop)
		watching.Wait()
		b.ReportMetric(float64(took[1].Load())/float64(took[0].Load()), "still/busy")
		b.ReportMetric(float64(captions[0].Count().Windows), "windows")
	}
}

// stillCamera watches a window of 3 s each second, as configured by default.
func stillCamera(t testing.TB, m *models, url string) live.Camera {
	t.Helper()
	config := configs.DefaultCamera()
	config.Name, config.URL, config.Window, config.Every = "door", configs.URL(url), 3*time.Second, time.Second
	c, err := newCameras(m.tool, m, func(context.Context, sinks.Event) error { return nil }).camera(watched{Camera: config})
	if err != nil {
		t.Fatal(err)
	}
	return c
}
