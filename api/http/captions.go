package http

import (
	"bytes"
	"context"
	"io"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/captiond/captiond/sinks"
	"github.com/captiond/captiond/sinks/subtitles"
)

type captionsReply struct {
	Body struct {
		Captions []*sinks.Caption `json:"captions"`
	}
}

func newCaptionsReply(all []*sinks.Caption) *captionsReply {
	out := &captionsReply{}
	out.Body.Captions = append([]*sinks.Caption{}, all...) // [] where there are none
	return out
}

type subtitlesReply struct {
	ContentType string `header:"Content-Type"`
	Body        []byte
}

func (o Options) captions(a huma.API) {
	for _, form := range []struct{ id, suffix string }{{"captions", ""}, {"captions-json", ".json"}} {
		Register(a, huma.Operation{
			OperationID: form.id, Method: http.MethodGet, Path: "/v1/videos/{id}/captions" + form.suffix, Tags: []string{"videos"},
			Summary: "The captions made so far, as events",
		}, func(ctx context.Context, in *ofVideo) (*captionsReply, error) {
			all, err := o.captionsOf(ctx, in)
			if err != nil {
				return nil, err
			}
			return newCaptionsReply(all), nil
		})
	}
	o.subtitles(a, "vtt", "text/vtt; charset=utf-8", subtitles.NewVTT)
	o.subtitles(a, "srt", "application/x-subrip; charset=utf-8", subtitles.NewSRT)
}

func (o Options) captionsOf(ctx context.Context, in *ofVideo) ([]*sinks.Caption, error) {
	if err := o.known(in); err != nil {
		return nil, err
	}
	var all []*sinks.Caption
	for c, err := range o.Library.Captions(ctx, CallerOf(ctx), in.ID) {
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}

func (o Options) subtitles(a huma.API, suffix, contentType string, open func(io.Writer) *subtitles.Sink) {
	Register(a, huma.Operation{
		OperationID: "captions-" + suffix, Method: http.MethodGet, Path: "/v1/videos/{id}/captions." + suffix, Tags: []string{"videos"},
		Summary: "The captions made so far, as subtitles",
		Responses: map[string]*huma.Response{"200": {Description: "OK", Content: map[string]*huma.MediaType{
			contentType: {Schema: &huma.Schema{Type: huma.TypeString}},
		}}},
	}, func(ctx context.Context, in *ofVideo) (*subtitlesReply, error) {
		all, err := o.captionsOf(ctx, in)
		if err != nil {
			return nil, err
		}
		var doc bytes.Buffer
		if err := write(ctx, open(&doc), all); err != nil {
			return nil, err
		}
		return &subtitlesReply{contentType, doc.Bytes()}, nil
	})
}

func write(ctx context.Context, s *subtitles.Sink, all []*sinks.Caption) error {
	for _, c := range all {
		if err := s.Publish(ctx, c); err != nil {
			return err
		}
	}
	return s.Close(ctx)
}
