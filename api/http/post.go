package http

import (
	"context"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/captiond/captiond/api"
	"github.com/captiond/captiond/api/tokens"
	"github.com/captiond/captiond/pipeline/files"
	"github.com/captiond/captiond/sinks"
)

// accepted is an upload that is whole, and will be captioned.
type accepted struct {
	Location string `header:"Location"`
	Body     struct {
		ID string `json:"id" doc:"of the video"`
	}
}

// Address is a video that the daemon is to fetch itself.
type Address struct {
	URL string `json:"url" doc:"of a video: http or https"`
	files.Options
}

// fetchTime is how long a video may take to come from where its address leads.
const fetchTime = 30 * time.Minute

// formHead is how much larger than its file a form may be.
const formHead = 64 << 10

func (o Options) post(a huma.API) {
	address := shape{a.OpenAPI().Components.Schemas, a.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[Address](), true, "")}
	Register(a, huma.Operation{
		OperationID: "post-video", Method: http.MethodPost, Path: "/v1/videos", Tags: []string{"videos"}, DefaultStatus: http.StatusAccepted,
		Summary:     "Send a video or picture to be captioned",
		Description: "As a form, with the file as the field file, or as JSON with its address. Large files are better sent to /v1/uploads (tus), which can be resumed.",
		Security:    Needs(tokens.Upload),
	}, func(ctx context.Context, in *raw) (*accepted, error) {
		if o.Uploads == nil || o.Folder == "" {
			return nil, lacking(noUploads)
		}
		switch in.kind() {
		case formType:
			return o.receive(ctx, in.r.ContentLength, o.fromForm(ctx, in))
		case jsonType:
			return o.fetch(ctx, in, address)
		}
		return nil, wrongKind()
	})
	body(a, "/v1/videos", map[string]*huma.Schema{jsonType: address.schema, formType: {Type: huma.TypeObject, Properties: map[string]*huma.Schema{
		"file":  {Type: huma.TypeString, Format: "binary"},
		"every": {Type: huma.TypeString, Description: "length of the windows: seconds, or a time such as 1m30s"},
		"whole": {Type: huma.TypeBoolean}, "scenes": {Type: huma.TypeBoolean}, "model": {Type: huma.TypeString},
	}, Required: []string{"file"}}})
}

// body describes the bodies that a handler reads itself. Huma would read them, had it known.
func body(a huma.API, path string, kinds map[string]*huma.Schema) {
	content := make(map[string]*huma.MediaType)
	for kind, schema := range kinds {
		content[kind] = &huma.MediaType{Schema: schema}
	}
	a.OpenAPI().Paths[path].Post.RequestBody = &huma.RequestBody{Required: true, Content: content}
}

// receive makes an upload of what fill writes. What does not become one leaves nothing behind.
func (o Options) receive(ctx context.Context, bytes int64, fill func(*part) (api.Upload, error)) (*accepted, error) {
	who := CallerOf(ctx)
	if err := o.Uploads.Admit(ctx, who, bytes); err != nil {
		return nil, err
	}
	p, err := createPart(o.Folder)
	if err != nil {
		o.Uploads.Release(who, bytes)
		return nil, err
	}
	u, err := p.take(fill)
	if err != nil {
		p.drop()
		o.Uploads.Release(who, bytes)
		return nil, err
	}
	if _, err := o.Uploads.Add(context.WithoutCancel(ctx), who, u); err != nil { // it is whole, whoever goes
		p.drop()
		return nil, err
	}
	out := &accepted{Location: "/v1/videos/" + u.ID}
	out.Body.ID = u.ID
	return out, nil
}

// take is a part that fill has written, in its place.
func (p *part) take(fill func(*part) (api.Upload, error)) (u api.Upload, err error) {
	if u, err = fill(p); err != nil {
		return u, err
	}
	if u.Bytes, err = p.finish(); err != nil {
		return u, err
	}
	if u.Bytes == 0 {
		return u, api.Errorf(http.StatusUnprocessableEntity, "the file is empty: copy or download it again")
	}
	u.ID = p.id
	return u, nil
}

// fromForm writes the form's file, and reads how it is to be captioned.
func (o Options) fromForm(ctx context.Context, in *raw) func(*part) (api.Upload, error) {
	return func(p *part) (u api.Upload, err error) {
		taken := false
		fields, err := in.form(ctx, o.Limits.Upload+formHead, formFields{count: 16, bytes: 4 << 10}, func(name string, file io.Reader) error {
			u.Title, taken = name, true
			return copyAtMost(p, file, o.Limits.Upload)
		})
		if err == nil && !taken {
			err = noFile()
		}
		if err != nil {
			return u, err
		}
		for name, values := range fields {
			if !slices.Contains(OptionNames(), name) || len(values) > 1 {
				return u, api.Errorf(http.StatusUnprocessableEntity, "field %.40q: give file, and each at most once %s", name, strings.Join(OptionNames(), ", "))
			}
		}
		u.Options, err = ParseOptions(fields.Get)
		return u, err
	}
}

// copyAtMost fails with 413 where there is more.
func copyAtMost(w io.Writer, r io.Reader, most int64) error {
	n, err := io.Copy(w, io.LimitReader(r, most+1))
	if err == nil && n > most {
		return tooLarge(most)
	}
	return err
}

// fetch makes an upload of what an address leads to.
func (o Options) fetch(ctx context.Context, in *raw, s shape) (*accepted, error) {
	var a Address
	if err := in.json(s, &a); err != nil {
		return nil, err
	}
	if err := validate(a.Options); err != nil {
		return nil, err
	}
	if o.Fetch == nil {
		return nil, lacking("fetches no addresses: send the file itself")
	}
	return o.receive(ctx, -1, func(p *part) (api.Upload, error) {
		ctx, cancel := context.WithTimeoutCause(ctx, fetchTime, api.Errorf(http.StatusGatewayTimeout, "the video did not come within %v: send the file itself", fetchTime))
		defer cancel()
		title, err := o.Fetch(ctx, a.URL, &bounded{p, o.Limits.Upload})
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return api.Upload{Title: api.Title(title), Options: a.Options}, err
	})
}

// bounded is a writer that takes so much.
type bounded struct {
	io.Writer
	left int64
}

// Write implements io.Writer.
func (w *bounded) Write(b []byte) (int, error) {
	if w.left -= int64(len(b)); w.left < 0 {
		return 0, api.Errorf(http.StatusRequestEntityTooLarge, "the video at this address is too large: uploads.max_bytes is the most that is taken")
	}
	return w.Writer.Write(b)
}

// OptionNames are the options of an upload, as fields of a form and metadata of tus.
func OptionNames() []string { return []string{"every", "whole", "scenes", "model"} }

// ParseOptions reads the options of an upload by their names. Errors are *api.Error.
func ParseOptions(get func(name string) string) (o files.Options, err error) {
	if text := get("every"); text != "" {
		if o.Every, err = parseSeconds(text); err != nil {
			return o, err
		}
	}
	for name, flag := range map[string]*bool{"whole": &o.Whole, "scenes": &o.Scenes} {
		if text := get(name); text != "" {
			if *flag, err = parseBool(text); err != nil {
				return o, api.Errorf(http.StatusUnprocessableEntity, "%s: %v", name, err)
			}
		}
	}
	o.Model = get("model")
	return o, validate(o)
}

// parseSeconds takes 90, and 1m30s too.
func parseSeconds(text string) (sinks.Seconds, error) {
	if s, err := strconv.ParseFloat(text, 64); err == nil && s > 0 && s < 1e9 {
		return sinks.SecondsOf(time.Duration(s * float64(time.Second))), nil
	}
	if d, err := time.ParseDuration(text); err == nil && d > 0 {
		return sinks.SecondsOf(d), nil
	}
	return 0, api.Errorf(http.StatusUnprocessableEntity, "every: %.40q is no length of a window: give seconds, such as 10, or a time such as 1m30s", text)
}

func validate(o files.Options) error {
	if err := o.Validate(); err != nil {
		return api.Errorf(http.StatusUnprocessableEntity, "%v", err)
	}
	return nil
}
