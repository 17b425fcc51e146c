package http

import (
	"context"
	"iter"
	"net/http"
	"os"

	"github.com/danielgtaylor/huma/v2"

	"github.com/captiond/captiond/api"
	"github.com/captiond/captiond/api/tokens"
	"github.com/captiond/captiond/pipeline/files"
	"github.com/captiond/captiond/sinks"
)

// Videos are the uploads that are known. Errors are *api.Error as far as the client is to
// blame; what is another's is 404. It is called by any number of goroutines.
type Videos interface {
	// List is the caller's, for an admin all, the newest first.
	List(context.Context, api.Caller) ([]files.Video, error)
	Get(ctx context.Context, who api.Caller, id string) (files.Video, error)
	// Cancel ends the job, not the video: what it said is kept. One that has ended stays so.
	Cancel(ctx context.Context, who api.Caller, id string) (files.Video, error)
	// Delete ends the job, and forgets the file and what was said.
	Delete(ctx context.Context, who api.Caller, id string) error
}

// Uploads take what comes in. Errors and calls are as those of Videos.
type Uploads interface {
	// Admit says whether so many bytes may come (-1: it is not known how many), before they do,
	// and keeps room for them: 503 where the queue is full, 507 where the disk would be.
	Admit(ctx context.Context, who api.Caller, bytes int64) error
	// Release gives that room back: they will not come.
	Release(who api.Caller, bytes int64)
	// Add takes a file that lies in the folder of uploads under its id: 415 where it is no video,
	// 409 where it has been taken already. What is refused is removed.
	Add(ctx context.Context, who api.Caller, u api.Upload) (files.Video, error)
}

// Library gives back what came in, and what was said of it. Errors and calls are as those of
// Videos; *api.Videos is all three.
type Library interface {
	// Media is the file, which the caller closes.
	Media(ctx context.Context, who api.Caller, id string) (*os.File, files.Video, error)
	// Captions are those made so far, in order. An error is the last of them.
	Captions(ctx context.Context, who api.Caller, id string) iter.Seq2[*sinks.Caption, error]
}

// ofVideo is what all requests about a video have.
type ofVideo struct {
	ID string `path:"id" doc:"of the video: what its upload returned"`
}

type (
	videoReply struct{ Body files.Video }
	listReply  struct {
		Body struct {
			Videos []files.Video `json:"videos"`
		}
	}
)

// lacking is the answer where a daemon has no such thing.
func lacking(what string) error {
	return api.Errorf(http.StatusNotImplemented, "this daemon %s", what)
}

const noUploads = "takes no uploads: start it as `captiond serve --state DIR`"

// known is the id of a request, or why it cannot be one. Nothing else comes near a path.
func (o Options) known(in *ofVideo) error {
	switch {
	case o.Videos == nil || o.Library == nil:
		return lacking(noUploads)
	case !files.ValidID(in.ID):
		return api.Errorf(http.StatusNotFound, "there is no video with this id: GET /v1/videos lists yours")
	}
	return nil
}

func (o Options) videos(a huma.API) {
	op := func(id, method, path, summary string) huma.Operation {
		return huma.Operation{OperationID: id, Method: method, Path: "/v1/videos" + path, Summary: summary, Tags: []string{"videos"}}
	}
	Register(a, op("list-videos", http.MethodGet, "", "Your videos, the newest first"), o.listVideos)
	Register(a, op("get-video", http.MethodGet, "/{id}", "A video and how far its captions are"), func(ctx context.Context, in *ofVideo) (*videoReply, error) {
		return o.video(ctx, in, Videos.Get)
	})
	cancel := op("cancel-video", http.MethodPost, "/{id}/cancel", "Make no more captions of a video; those made are kept")
	cancel.Security = Needs(tokens.Upload)
	Register(a, cancel, func(ctx context.Context, in *ofVideo) (*videoReply, error) {
		return o.video(ctx, in, Videos.Cancel)
	})
	remove := op("delete-video", http.MethodDelete, "/{id}", "Forget a video, its file and its captions")
	remove.Security = Needs(tokens.Upload)
	Register(a, remove, o.deleteVideo)
	o.post(a)
	o.media(a)
}

func (o Options) listVideos(ctx context.Context, _ *struct{}) (*listReply, error) {
	if o.Videos == nil {
		return nil, lacking(noUploads)
	}
	all, err := o.Videos.List(ctx, CallerOf(ctx))
	if err != nil {
		return nil, err
	}
	out := &listReply{}
	out.Body.Videos = append([]files.Video{}, all...) // [] where there are none
	return out, nil
}

// video answers with the record that a method of Videos returns.
func (o Options) video(ctx context.Context, in *ofVideo, method func(Videos, context.Context, api.Caller, string) (files.Video, error)) (*videoReply, error) {
	if err := o.known(in); err != nil {
		return nil, err
	}
	v, err := method(o.Videos, ctx, CallerOf(ctx), in.ID)
	if err != nil {
		return nil, err
	}
	return &videoReply{v}, nil
}

func (o Options) deleteVideo(ctx context.Context, in *ofVideo) (*struct{}, error) {
	if err := o.known(in); err != nil {
		return nil, err
	}
	return nil, o.Videos.Delete(ctx, CallerOf(ctx), in.ID)
}
