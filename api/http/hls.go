package http

import (
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

// video serves the video of a camera, as it comes.
func (d cameraDoor) video(a huma.API) {
	Mount(a, huma.Operation{
		OperationID: "get-video-of-camera", Method: http.MethodGet, Path: "/v1/cameras/{name}/hls/{file}", Tags: []string{"cameras"},
		Summary: "The video of a camera as HTTP Live Streaming: a player begins with the file index.m3u8, and so again after 410 (Gone)",
		Parameters: []*huma.Param{nameParam(), {Name: "file", In: "path", Required: true, Description: "index.m3u8, or what that names",
			Schema: &huma.Schema{Type: huma.TypeString}}},
		Responses: map[string]*huma.Response{"200": {Description: "OK", Content: map[string]*huma.MediaType{
			"application/vnd.apple.mpegurl": {}, "video/mp4": {},
		}}},
	}, problems(d.serveVideo))
}

func (d cameraDoor) serveVideo(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("name")
	tap, err := d.Video(name)
	if err != nil {
		return err
	}
	w.Header().Set("Cross-Origin-Resource-Policy", "same-origin")
	return d.streams.Serve(w, r, name, tap)
}
