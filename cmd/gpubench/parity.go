package main

import (
	"context"
	"errors"
	"fmt"
	"image"
	"time"

	"github.com/captiond/captiond/demo"
	"github.com/captiond/captiond/demo/world"
	"github.com/captiond/captiond/model"
	"github.com/captiond/captiond/model/agree"
	"github.com/captiond/captiond/model/checkpoint"
	"github.com/captiond/captiond/model/ort"
)

// parity is what the demo's model says of scenes in one precision on the device, held against
// what it says in float32 on the CPU of the same machine.
type parity struct {
	Precision string `json:"precision"`
	Device    string `json:"device"`
	Right     int    `json:"right"` // captions that are true of the scenes
	agree.Report
}

// parities draws scenes, has each captioned and tells how far the device is off.
func (o options) parities(ctx context.Context, path string, rt *ort.Runtime, each func(parity) error) (err error) {
	if o.scenes == 0 {
		return nil
	}
	cpu, err := ort.Open(ctx, path, ort.Options{Device: "cpu", Threads: o.runtime.Threads})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cpu.Close()) }()
	c, err := checkpoint.LoadFS(demo.Model())
	if err != nil {
		return err
	}
	reference, err := model.Open(cpu, c, model.Options{Name: "demo"})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, reference.Close()) }()
	for _, p := range o.precisions {
		m, err := model.Open(rt, c, model.Options{Name: "demo", Precision: p})
		if err != nil {
			return err
		}
		found, err := o.compare(ctx, agree.Pair{Reference: reference, Other: m})
		if err := errors.Join(err, m.Close()); err != nil {
			return fmt.Errorf("compare %v with float32: %w", p, err)
		}
		found.Precision, found.Device = p.String(), rt.Device()
		if err := each(found); err != nil {
			return err
		}
	}
	return nil
}

// compare captions each scene as a whole.
func (o options) compare(ctx context.Context, pair agree.Pair) (p parity, err error) {
	windows := make([]agree.Window, o.scenes)
	for i := range windows {
		scene := world.New(uint64(i), world.Options{})
		if windows[i], err = pair.Compare(ctx, film(scene), false); err != nil {
			return p, err
		}
		if windows[i].Other == scene.Truth(0, scene.Duration).Caption {
			p.Right++
		}
	}
	p.Report = agree.Sum(windows)
	return p, nil
}

// film draws a scene at the centres of as many equal parts as a window has frames.
func film(s *world.Scene) []*image.RGBA {
	pictures := make([]*image.RGBA, frames)
	for i := range pictures {
		pictures[i] = image.NewRGBA(image.Rect(0, 0, 320, 240))
		s.Draw(pictures[i], s.Duration*time.Duration(2*i+1)/(2*frames))
	}
	return pictures
}

// String is the parity in one line.
func (p parity) String() string {
	return fmt.Sprintf("demo in %s on %s beside float32 on the cpu: %v; %d are right", p.Precision, p.Device, p.Report, p.Right)
}
