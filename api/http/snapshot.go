package http

import (
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/captiond/captiond/api"
)

// widest is the widest picture that may be asked for.
const widest = 16384

// snapshot serves the last picture of a camera.
func (d cameraDoor) snapshot(a huma.API) {
	Mount(a, huma.Operation{
		OperationID: "get-snapshot", Method: http.MethodGet, Path: "/v1/cameras/{name}/snapshot.jpg", Tags: []string{"cameras"},
		Summary: "The last picture of a camera, with its masks; its time is in X-Captiond-Time (RFC 3339)",
		Parameters: []*huma.Param{nameParam(), {Name: "width", In: "query", Description: "most pixels from left to right",
			Schema: &huma.Schema{Type: huma.TypeInteger}}},
		Responses: map[string]*huma.Response{"200": {Description: "OK", Content: map[string]*huma.MediaType{"image/jpeg": {}}}},
	}, problems(d.serveSnapshot))
}

func (d cameraDoor) serveSnapshot(w http.ResponseWriter, r *http.Request) error {
	width, err := widthOf(r)
	if err != nil {
		return err
	}
	p, err := d.Snapshot(r.PathValue("name"))
	if err != nil {
		return err
	}
	b, err := api.JPEG(p.Image, width)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "image/jpeg")
	h.Set("Content-Length", strconv.Itoa(len(b)))
	h.Set("Cache-Control", "no-store")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Last-Modified", p.Time.UTC().Format(http.TimeFormat))
	h.Set("X-Captiond-Time", p.Time.UTC().Format(time.RFC3339Nano))
	_, _ = w.Write(b) // the client may be gone
	return nil
}

// widthOf is 0 where none is asked for.
func widthOf(r *http.Request) (int, error) {
	given := r.URL.Query().Get("width")
	if given == "" {
		return 0, nil
	}
	width, err := strconv.Atoi(given)
	if err != nil || width < 1 || width > widest {
		return 0, api.Errorf(http.StatusUnprocessableEntity, "width must be 1 to %d pixels", widest)
	}
	return width, nil
}
