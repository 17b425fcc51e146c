package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"time"

	"github.com/captiond/captiond/api"
	"github.com/captiond/captiond/frames"
	"github.com/captiond/captiond/frames/magic"
	"github.com/captiond/captiond/frames/opencv"
	"github.com/captiond/captiond/frames/worker"
	"github.com/captiond/captiond/pipeline"
	"github.com/captiond/captiond/pipeline/files"
	"github.com/captiond/captiond/pipeline/jetstream"
	"github.com/captiond/captiond/sinks"
)

// sharedBytes is what uploads may take of the object store, where they are shared.
const sharedBytes = 16 << 30

// uploadFolder is where uploads lie.
func (t *tool) uploadFolder() string { return filepath.Join(t.config.State, "uploads") }

// withVideos takes uploads and captions them while use runs.
func (d *daemon) withVideos(ctx context.Context, use func() error) (err error) {
	c := d.config
	o := jetstream.Options{Prefix: c.NATS.Prefix, Waiting: int64(c.Jobs.Queue), Patience: c.Jobs.Patience, UploadBytes: sharedBytes, Logger: d.log}
	queue, queueErr := jetstream.NewQueue(d.client.Conn(), o)
	records, recordsErr := jetstream.NewRecords(d.client.Conn(), o)
	store, storeErr := jetstream.NewUploads(d.client.Conn(), o)
	if err := errors.Join(queueErr, recordsErr, storeErr); err != nil {
		return err
	}
	d.videos = &api.Videos{
		Records: records, Queue: queue, Events: d.client, Sniff: sniff, Known: d.models.known, Forget: d.forget,
		MaxBytes: int64(c.Uploads.MaxBytes), Retention: c.Uploads.Retention, Logger: d.log,
	}
	kept := files.FolderOptions{Reserve: int64(c.Uploads.Reserve)}
	if c.Uploads.Shared {
		kept.Store, d.videos.Sweep = store, store.Sweep
	}
	if d.videos.Folder, err = files.OpenFolder(d.uploadFolder(), kept); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.videos.Folder.Close()) }()
	things := []func(context.Context){d.videos.Run}
	if c.Jobs.Workers > 0 {
		things = append(things, d.worker(queue, records).Run)
	}
	return beside(ctx, use, things...)
}

// worker captions what is uploaded.
func (d *daemon) worker(queue files.Queue, records files.Records) files.Worker {
	c := d.config.Jobs
	return files.Worker{
		Queue: queue, Records: records, Journal: d.client, Projector: projector{d.reader},
		Open: d.videos.Folder.Open, Eye: opencv.Eye{},
		Voice: func(_ context.Context, name string) (pipeline.Voice, error) {
			return d.models.speaker(name, sinks.KindCaption)
		},
		Slots: c.Workers, Attempts: int64(c.Attempts), Patience: c.Patience, Logger: d.log,
	}
}

// forget drops what is remembered of a source that is no more.
func (d *daemon) forget(source string) {
	d.scenes.Forget(source)
	if err := d.index.Forget(context.Background(), source); err != nil {
		d.log.Warn("search index goes on finding a video that was deleted, for a minute", "source", source, "err", err)
	}
}

// sniff says what is wrong with the first bytes of an upload.
func sniff(head []byte) error {
	_, err := magic.Sniff(head)
	return err
}

// known says what is wrong with a name that a client gives for a model.
func (m *models) known(name string) error {
	if name == "" || m.knows(name) {
		return nil
	}
	return unknownModel(name)
}

// A projector shows files to the worker: files.Projector.
type projector struct{ reader reader }

// Show implements files.Projector. What the decoder says is about the file, unless it was
// killed.
func (p projector) Show(ctx context.Context, r files.Reel, use func(context.Context, pipeline.Footage) error) error {
	opened, reader := false, p.reader
	reader.decoder.Progress = r.Beat // between two frames of a long film there may be minutes
	err := reader.footage(ctx, r.File, func(ctx context.Context, f pipeline.Footage) error {
		opened = true
		if f.Clip != nil {
			f.Clip = blamed{f.Clip}
		}
		return use(ctx, f)
	})
	if !opened {
		return ofFile(ctx, err)
	}
	return err
}

// ofFile is an error of decoding, as far as the file is to blame.
func ofFile(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil || errors.Is(err, worker.ErrKilled) || errors.Is(err, worker.ErrStart) {
		return err
	}
	return &files.FileError{Err: fmt.Errorf("decode video: %w", err)}
}

// blamed is a clip whose errors say whose fault they are.
type blamed struct{ pipeline.Clip }

// Show implements pipeline.Clip.
func (b blamed) Show(ctx context.Context, at []time.Duration) iter.Seq2[frames.Sample, error] {
	return func(yield func(frames.Sample, error) bool) {
		for f, err := range b.Clip.Show(ctx, at) {
			if !yield(f, ofFile(ctx, err)) {
				return
			}
		}
	}
}
