package http

import (
	"context"
	"io"
	"net/http"
	"os"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/captiond/captiond/api"
	"github.com/captiond/captiond/api/tokens"
	"github.com/captiond/captiond/pipeline"
	"github.com/captiond/captiond/sinks"
)

// Asker answers about what was uploaded, what cameras showed, and files that come with their
// questions. Errors are *api.Error as far as the client is to blame, or is to come again. It is
// called by any number of goroutines, and checks all that it is given. *api.Asker is one.
type Asker interface {
	// Ask returns an answer for each question, in order.
	Ask(context.Context, api.Caller, api.Subject, api.Ask) ([]*sinks.Answer, error)
	Caption(context.Context, api.Caller, api.Subject, api.Search) ([]*sinks.Caption, error)
	Classify(context.Context, api.Caller, api.Subject, api.Classify) (*pipeline.Classes, error)
}

// maxLabels is how many labels come in one request.
const maxLabels = 10_000

// Target names what is asked about. A file is sent as a form.
type Target struct {
	Video  string `json:"video,omitempty" doc:"the id of a video"`
	Camera string `json:"camera,omitempty" doc:"the name of a camera"`
}

func (t Target) subject() api.Subject { return api.Subject{Video: t.Video, Camera: t.Camera} }

// AskBody is what /v1/ask takes.
type AskBody struct {
	Target
	api.Ask
}

// CaptionBody is what /v1/caption takes.
type CaptionBody struct {
	Target
	api.Search
}

// ClassifyBody is what /v1/classify takes.
type ClassifyBody struct {
	Target
	api.Classify
}

type answersReply struct {
	Body struct {
		Answers []*sinks.Answer `json:"answers"`
	}
}

type classesReply struct{ Body *pipeline.Classes }

const noModel = "answers nothing: it has no model"

func (o Options) asks(a huma.API) {
	o.questions(a)
	about(o, a, route{"ask", "Answers to questions about a video, a camera, or a picture or clip that is sent along"},
		func(ctx context.Context, s api.Subject, b *AskBody) (*answersReply, error) {
			return o.ask(ctx, s, b.Ask)
		})
	about(o, a, route{"caption", "A caption of a video, a camera, or a picture or clip that is sent along"},
		func(ctx context.Context, s api.Subject, b *CaptionBody) (*captionsReply, error) {
			all, err := o.Asker.Caption(ctx, CallerOf(ctx), s, b.Search)
			return newCaptionsReply(all), err
		})
	about(o, a, route{"classify", "Which of the labels a video, a camera, or a picture or clip that is sent along shows"},
		func(ctx context.Context, s api.Subject, b *ClassifyBody) (*classesReply, error) {
			if err := checkLabels(b.Labels); err != nil {
				return nil, err
			}
			c, err := o.Asker.Classify(ctx, CallerOf(ctx), s, b.Classify)
			return &classesReply{c}, err
		})
}

// questions are the routes about a video and a camera.
func (o Options) questions(a huma.API) {
	Register(a, huma.Operation{
		OperationID: "ask-video", Method: http.MethodPost, Path: "/v1/videos/{id}/questions", Tags: []string{"questions"},
		Summary: "Answers to questions about a video, or a stretch of it", Security: Needs(tokens.Ask),
	}, func(ctx context.Context, in *struct {
		ID   string `path:"id" doc:"of the video"`
		Body api.Ask
	}) (*answersReply, error) {
		if err := o.known(&ofVideo{in.ID}); err != nil {
			return nil, err
		}
		return o.ask(ctx, api.Subject{Video: in.ID}, in.Body)
	})
	Register(a, huma.Operation{
		OperationID: "ask-camera", Method: http.MethodPost, Path: "/v1/cameras/{name}/questions", Tags: []string{"questions"},
		Summary: "Answers to questions about what a camera shows, or showed in the last minutes", Security: Needs(tokens.Ask),
	}, func(ctx context.Context, in *struct {
		Name string `path:"name" doc:"of the camera"`
		Body api.Ask
	}) (*answersReply, error) {
		return o.ask(ctx, api.Subject{Camera: in.Name}, in.Body)
	})
}

func (o Options) ask(ctx context.Context, s api.Subject, q api.Ask) (*answersReply, error) {
	if o.Asker == nil {
		return nil, lacking(noModel)
	}
	all, err := o.Asker.Ask(ctx, CallerOf(ctx), s, q)
	out := &answersReply{}
	out.Body.Answers = append([]*sinks.Answer{}, all...)
	return out, err
}

// route is the last part of a path, and what it is for.
type route struct{ name, summary string }

// about registers a route whose body is JSON that names what is asked about, or a form with the
// same fields, and a file where they name nothing.
func about[B interface{ subject() api.Subject }, O any](o Options, a huma.API, r route, do func(context.Context, api.Subject, *B) (*O, error)) {
	types, path := a.OpenAPI().Components.Schemas, "/v1/"+r.name
	s := shape{types, types.Schema(reflect.TypeFor[B](), true, "")}
	Register(a, huma.Operation{
		OperationID: r.name, Method: http.MethodPost, Path: path, Tags: []string{"questions"}, Summary: r.summary, Security: Needs(tokens.Ask),
		Description: "As JSON with the name of a video or camera, or as a form with that or with a picture or clip as the field file. In a form a list is several fields of one name, or several lines.",
	}, func(ctx context.Context, in *raw) (*O, error) {
		if o.Asker == nil {
			return nil, lacking(noModel)
		}
		var b B
		file, title, err := o.inquiry(ctx, in, s, &b)
		if err != nil {
			return nil, err
		}
		subject := b.subject()
		if file != nil {
			defer file.Close()
			subject.File, subject.Title = file, title
		}
		return do(ctx, subject, &b)
	})
	body(a, path, map[string]*huma.Schema{jsonType: s.schema, formType: {
		AllOf: []*huma.Schema{s.schema, {Type: huma.TypeObject, Properties: map[string]*huma.Schema{"file": {Type: huma.TypeString, Format: "binary"}}}},
	}})
}

// inquiry reads what is asked, and the file that came with it, which the caller closes.
func (o Options) inquiry(ctx context.Context, in *raw, s shape, into any) (file *os.File, title string, err error) {
	switch in.kind() {
	case jsonType:
		return nil, "", in.json(s, into)
	case formType:
	default:
		return nil, "", wrongKind()
	}
	if o.Folder == "" {
		return nil, "", lacking(noUploads)
	}
	if file, err = temporary(o.Folder); err != nil {
		return nil, "", err
	}
	taken := false
	fields, err := in.form(ctx, o.Limits.Clip+maxJSON, formFields{count: maxLabels + 100, bytes: maxJSON}, func(name string, r io.Reader) error {
		title, taken = name, true
		return copyAtMost(file, r, o.Limits.Clip)
	})
	if err == nil && !taken && !fields.Has("video") && !fields.Has("camera") {
		err = noFile()
	}
	if err == nil {
		err = s.fill(fields, into)
	}
	if err != nil {
		_ = file.Close()
		return nil, "", err
	}
	if !taken {
		return nil, "", file.Close()
	}
	return file, title, nil
}

func checkLabels(labels []string) error {
	if n := len(labels); n > maxLabels {
		return api.Errorf(http.StatusUnprocessableEntity, "%d labels: give at most %d; `captiond classify` takes longer lists", n, maxLabels)
	}
	return nil
}
