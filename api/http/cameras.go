package http

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/captiond/captiond/api"
	"github.com/captiond/captiond/api/hls"
)

// cameraBody is the most that a camera's settings may take, in bytes.
const cameraBody = 64 << 10

type (
	ofCamera struct {
		Name string `path:"name" doc:"of the camera"`
	}
	cameraReply struct {
		Location string `header:"Location"`
		Body     api.Camera
	}
	camerasReply struct {
		Body struct {
			Cameras []api.Camera `json:"cameras"`
		}
	}
	addCamera    struct{ Body api.NamedCamera }
	changeCamera struct {
		Name string `path:"name" doc:"of the camera"`
		Body api.CameraSpec
	}
	testCamera struct{ Body api.CameraSpec }
	trialReply struct{ Body api.Trial }
)

// Cameras is an entry of Options.More: cameras and what they show. Streams are passed on while
// their Run works.
func Cameras(c *api.Cameras, streams *hls.Streams) func(huma.API) {
	return func(a huma.API) {
		door := cameraDoor{c, streams}
		door.settings(a)
		door.snapshot(a)
		door.video(a)
	}
}

type cameraDoor struct {
	*api.Cameras
	streams *hls.Streams
}

func (d cameraDoor) settings(a huma.API) {
	op := func(id, method, path, summary string) huma.Operation {
		return huma.Operation{OperationID: id, Method: method, Path: "/v1/cameras" + path, Summary: summary,
			Tags: []string{"cameras"}, MaxBodyBytes: cameraBody}
	}
	Register(a, op("list-cameras", http.MethodGet, "", "All cameras and how they are"), d.list)
	Register(a, op("get-camera", http.MethodGet, "/{name}", "A camera and how it is"), d.get)
	add := op("add-camera", http.MethodPost, "", "Begin to watch a camera, also after a restart")
	add.DefaultStatus = http.StatusCreated
	Register(a, add, d.add)
	Register(a, op("change-camera", http.MethodPatch, "/{name}", "Give a camera other settings; what is left out stays"), d.change)
	Register(a, op("remove-camera", http.MethodDelete, "/{name}", "Stop watching a camera, and forget it"), d.remove)
	Register(a, op("test-camera", http.MethodPost, "/test", "Open an address once: a picture and its caption, or why there is none"), d.test)
}

func (d cameraDoor) list(context.Context, *struct{}) (*camerasReply, error) {
	out := &camerasReply{}
	out.Body.Cameras = append([]api.Camera{}, d.List()...) // [] where there are none
	return out, nil
}

func (d cameraDoor) get(_ context.Context, in *ofCamera) (*cameraReply, error) {
	return cameraOr(d.Get(in.Name))
}

func (d cameraDoor) add(ctx context.Context, in *addCamera) (*cameraReply, error) {
	out, err := cameraOr(d.Add(ctx, in.Body))
	if err == nil {
		out.Location = "/v1/cameras/" + in.Body.Name
	}
	return out, err
}

func (d cameraDoor) change(ctx context.Context, in *changeCamera) (*cameraReply, error) {
	return cameraOr(d.Change(ctx, in.Name, in.Body))
}

// cameraOr is the answer with a camera, or the error.
func cameraOr(c api.Camera, err error) (*cameraReply, error) {
	if err != nil {
		return nil, err
	}
	return &cameraReply{Body: c}, nil
}

func (d cameraDoor) remove(ctx context.Context, in *ofCamera) (*struct{}, error) {
	return nil, d.Remove(ctx, in.Name)
}

func (d cameraDoor) test(ctx context.Context, in *testCamera) (*trialReply, error) {
	t, err := d.Test(ctx, in.Body)
	if err != nil {
		return nil, err
	}
	return &trialReply{t}, nil
}

// nameParam is a camera's name in a path.
func nameParam() *huma.Param {
	return &huma.Param{Name: "name", In: "path", Required: true, Description: "of the camera", Schema: &huma.Schema{Type: huma.TypeString}}
}

// problems has a handler's error told as a problem.
func problems(serve func(http.ResponseWriter, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := serve(w, r); err != nil {
			WriteProblem(w, r, err)
		}
	})
}
