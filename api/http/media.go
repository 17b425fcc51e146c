package http

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/captiond/captiond/api"
	"github.com/captiond/captiond/frames/magic"
	"github.com/captiond/captiond/pipeline/files"
)

// octets is the type of what no browser plays: it is saved.
const octets = "application/octet-stream"

// mediaPolicy lets a browser show a file, and nothing that might be in it.
const mediaPolicy = "default-src 'none'; media-src 'self'; img-src 'self'; style-src 'unsafe-inline'; sandbox"

func (o Options) media(a huma.API) {
	Mount(a, huma.Operation{
		OperationID: "get-media", Method: http.MethodGet, Path: "/v1/videos/{id}/media", Tags: []string{"videos"},
		Summary:    "The file as it was uploaded; parts of it by Range",
		Parameters: []*huma.Param{{Name: "id", In: "path", Required: true, Schema: &huma.Schema{Type: huma.TypeString}}},
		Responses: map[string]*huma.Response{"200": {Description: "OK", Content: map[string]*huma.MediaType{
			"video/*": {}, "image/*": {}, octets: {},
		}}},
	}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := o.serveMedia(w, r); err != nil {
			WriteProblem(w, r, err)
		}
	}))
}

func (o Options) serveMedia(w http.ResponseWriter, r *http.Request) error {
	in := &ofVideo{r.PathValue("id")}
	if err := o.known(in); err != nil {
		return err
	}
	f, v, err := o.Library.Media(r.Context(), CallerOf(r.Context()), in.ID)
	if err != nil {
		return err
	}
	defer f.Close()
	kind, err := mediaType(f)
	if err != nil {
		return err
	}
	mediaHeader(w.Header(), v, kind)
	http.ServeContent(w, r, "", v.Created.Time, f)
	return nil
}

func mediaHeader(h http.Header, v files.Video, kind string) {
	how := "inline"
	if kind == octets {
		how = "attachment"
	}
	h.Set("Content-Type", kind)
	h.Set("Content-Disposition", disposition(how, v.Title))
	h.Set("Content-Security-Policy", mediaPolicy)
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "private, no-cache") // a deleted video is not shown again
	h.Set("Etag", `"`+v.ID+`"`)                 // it never changes
}

// disposition is the header of that name, with the name to save a file by.
func disposition(how, title string) string {
	if title = api.Title(title); title == "" {
		return how
	}
	if d := mime.FormatMediaType(how, map[string]string{"filename": title}); d != "" {
		return d
	}
	return how
}

// mediaType is what a file is by its first bytes, whatever its name says.
func mediaType(f *os.File) (string, error) {
	head := make([]byte, magic.HeadSize)
	n, err := f.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	if head = head[:n]; len(head) == 0 {
		return octets, nil
	}
	if _, err := magic.Sniff(head); err != nil {
		return octets, nil //nolint:nilerr // it is saved, not played
	}
	kind := http.DetectContentType(head)
	if strings.HasPrefix(kind, "video/") || strings.HasPrefix(kind, "image/") {
		return kind, nil
	}
	return octets, nil
}
