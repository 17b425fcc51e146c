package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/captiond/captiond/demo/film"
	"github.com/captiond/captiond/demo/world"
	"github.com/captiond/captiond/frames/ffmpeg"
)

// leastWindow is the length of the shortest windows in a dataset.
const leastWindow = 1500 * time.Millisecond

// line is one of a dataset's lines, as captiond eval reads them.
type line struct {
	File     string   `json:"file"`
	From     float64  `json:"from,omitempty"` // seconds
	To       float64  `json:"to,omitempty"`
	Captions []string `json:"captions,omitempty"`
	Question string   `json:"question,omitempty"`
	Answers  []string `json:"answers,omitempty"`
	Groups   []string `json:"groups"`
}

func runDataset(args []string) error {
	a := newArguments("dataset")
	a.files()
	var d dataset
	a.IntVar(&d.windows, "windows", 2, "number of windows of 1.5 s and more taken from each scene")
	a.Int64Var(&d.most, "most", 1<<30, "bytes of a film: larger ones are compressed more, up to CRF 32")
	_ = a.Parse(args) // exits itself
	if a.out == "" {
		return errors.New("name the folder: -o DIR")
	}
	d.folder, d.rng = a.out, rand.New(rand.NewPCG(a.seed, 0xda7a5e7))
	if err := os.MkdirAll(filepath.Join(d.folder, "clips"), 0o755); err != nil {
		return err
	}
	truths, err := os.Create(filepath.Join(d.folder, "dataset.jsonl"))
	if err != nil {
		return err
	}
	defer truths.Close()
	for i := range a.n {
		if err := d.add(truths, fmt.Sprintf("clips/%04d.mp4", i+1)); err != nil {
			return err
		}
	}
	return truths.Close()
}

// dataset is how a folder is filled.
type dataset struct {
	folder  string
	rng     *rand.Rand
	windows int   // of each scene
	most    int64 // bytes of a film
}

// add films a scene and writes what is true of it.
func (d *dataset) add(truths io.Writer, name string) error {
	s, how := world.New(d.rng.Uint64(), world.Options{}), film.Any(d.rng)
	for {
		size, err := d.film(name, how, s)
		if err != nil {
			return err
		}
		if size <= d.most || how.CRF >= film.MaxCRF {
			break
		}
		how.CRF = min(how.CRF+4, film.MaxCRF)
	}
	enc := json.NewEncoder(truths)
	for _, l := range lines(s, name, d.windows, d.rng) {
		if err := enc.Encode(l); err != nil {
			return err
		}
	}
	return nil
}

// film writes a scene and tells how many bytes it takes.
func (d *dataset) film(name string, how ffmpeg.Encoding, s *world.Scene) (int64, error) {
	file, err := os.Create(filepath.Join(d.folder, name))
	if err != nil {
		return 0, err
	}
	defer file.Close()
	if _, err := film.Write(file, how, s); err != nil {
		return 0, err
	}
	info, err := file.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), file.Close()
}

// lines are what is asked of a film of one scene: its caption, every question, and the
// captions of some windows.
func lines(s *world.Scene, name string, windows int, rng *rand.Rand) []line {
	whole := s.Truth(0, s.Duration)
	ls := []line{{File: name, Captions: []string{whole.Caption}, Groups: groups("whole clip", whole)}}
	for _, q := range whole.Questions {
		ls = append(ls, line{File: name, Question: q.Text, Answers: []string{q.Answer}, Groups: []string{q.Kind}})
	}
	for range windows {
		length := leastWindow + time.Duration(rng.Int64N(int64(s.Duration-leastWindow)))
		from := time.Duration(rng.Int64N(int64(s.Duration-length) + 1)).Round(time.Millisecond)
		to := min(from+length.Round(time.Millisecond), s.Duration)
		part := s.Truth(from, to)
		ls = append(ls, line{
			File: name, From: from.Seconds(), To: to.Seconds(),
			Captions: []string{part.Caption}, Groups: groups("window", part),
		})
	}
	return ls
}

// groups are by what the scores of captions are told apart: the kind of stretch, and each
// motion in it.
func groups(kind string, t world.Truth) []string {
	gs := []string{kind}
	for _, o := range t.Objects {
		gs = append(gs, kind+": "+o.Does.String())
	}
	return gs
}
