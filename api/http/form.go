package http

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/captiond/captiond/api"
)

// raw is a request whose body the handler reads itself, as it comes.
type raw struct {
	w http.ResponseWriter
	r *http.Request
}

// Resolve implements huma.Resolver.
func (in *raw) Resolve(c huma.Context) []error {
	in.r, in.w = humago.Unwrap(c)
	return nil
}

// The kinds of bodies.
const (
	jsonType = "application/json"
	formType = "multipart/form-data"
)

// kind is the media type of the body, "" where it is none.
func (in *raw) kind() string {
	kind, _, err := mime.ParseMediaType(in.r.Header.Get("Content-Type"))
	if err != nil {
		return ""
	}
	return kind
}

func wrongKind() error {
	return api.Errorf(http.StatusUnsupportedMediaType, "send a form (Content-Type: %s, with a file) or JSON (Content-Type: %s)", formType, jsonType)
}

// formFields bounds what a form has beside its file.
type formFields struct {
	count int
	bytes int64 // of all together
}

// form reads a form of at most so many bytes, in whatever order its parts come: the fields into
// what it returns, the file, if there is one, into take.
func (in *raw) form(ctx context.Context, size int64, l formFields, take func(name string, file io.Reader) error) (url.Values, error) {
	if in.r.ContentLength > size {
		return nil, tooLarge(size)
	}
	in.r.Body = http.MaxBytesReader(in.w, in.r.Body, size)
	parts, err := in.r.MultipartReader()
	if err != nil {
		return nil, api.Errorf(http.StatusBadRequest, "the form has no boundary: let your client make the header Content-Type")
	}
	fields, taken := make(url.Values), false
	for {
		part, err := parts.NextPart()
		switch {
		case errors.Is(err, io.EOF):
			return fields, nil
		case err != nil:
			return nil, broken(ctx, err)
		case part.FileName() == "" && part.FormName() != "file":
			err = l.add(fields, part)
		case taken:
			err = api.Errorf(http.StatusUnprocessableEntity, "the form has two files: send one request for each")
		default:
			taken = true
			err = take(api.Title(part.FileName()), source{part})
		}
		if err != nil {
			return nil, broken(ctx, err)
		}
	}
}

func noFile() error {
	return api.Errorf(http.StatusUnprocessableEntity, "the form has no file: send one as the field file (curl -F file=@clip.mp4)")
}

func (l *formFields) add(fields url.Values, part *multipart.Part) error {
	if l.count--; l.count < 0 {
		return api.Errorf(http.StatusRequestEntityTooLarge, "the form has too many fields")
	}
	b, err := io.ReadAll(io.LimitReader(source{part}, l.bytes+1))
	if err != nil {
		return err
	}
	if l.bytes -= int64(len(b)); l.bytes < 0 {
		return api.Errorf(http.StatusRequestEntityTooLarge, "the form's fields are too long")
	}
	fields.Add(part.FormName(), string(b))
	return nil
}

// source marks what goes wrong with a body, to tell it from what goes wrong with a disk.
type source struct{ io.Reader }

// Read implements io.Reader.
func (s source) Read(b []byte) (int, error) {
	n, err := s.Reader.Read(b)
	if err != nil && !errors.Is(err, io.EOF) {
		err = brokenError{err}
	}
	return n, err
}

type brokenError struct{ error }

// Unwrap is for errors.As.
func (e brokenError) Unwrap() error { return e.error }

// broken is the answer to a form that could not be read. Whether it ended early or is none, the
// client cannot have meant it.
func broken(ctx context.Context, err error) error {
	_, ours := errors.AsType[brokenError](err)
	if refusal(err) != nil || ctx.Err() != nil || !ours && !strings.HasPrefix(err.Error(), "multipart: ") {
		return err
	}
	return api.Errorf(http.StatusBadRequest, "the form ended before its end or is damaged: send it again, or in parts that can be resumed (POST /v1/uploads)")
}

// maxJSON is how large a body without a file may be.
const maxJSON = 4 << 20

// shape is the JSON that is expected.
type shape struct {
	types  huma.Registry
	schema *huma.Schema
}

// json reads a body into a pointer.
func (in *raw) json(s shape, into any) error {
	var v any
	d := json.NewDecoder(http.MaxBytesReader(in.w, in.r.Body, maxJSON))
	if err := d.Decode(&v); err != nil {
		if refusal(err) != nil || in.r.Context().Err() != nil {
			return err
		}
		return api.Errorf(http.StatusBadRequest, "the body is no JSON: %v", err)
	}
	if d.More() {
		return api.Errorf(http.StatusBadRequest, "the body is more than one JSON value")
	}
	return s.read(v, into)
}

// read checks a value, and takes it into a pointer.
func (s shape) read(v, into any) error {
	path, result := huma.NewPathBuffer(nil, 0), &huma.ValidateResult{}
	huma.Validate(s.types, s.schema, path, huma.ModeWriteToServer, v, result)
	var details []*huma.ErrorDetail
	for _, err := range result.Errors {
		if d, ok := errors.AsType[*huma.ErrorDetail](err); ok {
			details = append(details, d)
		}
	}
	if len(details) > 0 {
		return api.Errorf(http.StatusUnprocessableEntity, "%s", sentence(details))
	}
	b, err := json.Marshal(v)
	if err == nil {
		err = json.Unmarshal(b, into)
	}
	if err != nil {
		return api.Errorf(http.StatusUnprocessableEntity, "%v", err)
	}
	return nil
}

// fill takes the fields of a form into a pointer.
func (s shape) fill(fields url.Values, into any) error {
	v, err := s.value(fields)
	if err != nil {
		return err
	}
	return s.read(v, into)
}

// value is the JSON that the fields of a form stand for.
func (s shape) value(fields url.Values) (map[string]any, error) {
	schema := s.schema
	if schema.Ref != "" {
		schema = s.types.SchemaFromRef(schema.Ref)
	}
	all := make(map[string]any)
	for name, texts := range fields {
		p := schema.Properties[name]
		if p == nil {
			return nil, api.Errorf(http.StatusUnprocessableEntity, "there is no field %.40q here: /openapi.yaml has all", name)
		}
		v, err := fieldValue(p, texts)
		if err != nil {
			return nil, api.Errorf(http.StatusUnprocessableEntity, "%s: %v", name, err)
		}
		all[name] = v
	}
	return all, nil
}

// fieldValue reads a field. A list is given by several fields of its name, or several lines.
func fieldValue(p *huma.Schema, texts []string) (any, error) {
	if p.Type == huma.TypeArray {
		return lines(texts), nil
	}
	if len(texts) > 1 {
		return nil, errors.New("give it once")
	}
	number, err := strconv.ParseFloat(texts[0], 64)
	switch {
	case err == nil && p.Type != huma.TypeString && p.Type != huma.TypeBoolean:
		return number, nil // a moment may be one, too
	case p.Type == huma.TypeNumber || p.Type == huma.TypeInteger:
		return nil, fmt.Errorf("%.40q is no number", texts[0])
	case p.Type == huma.TypeBoolean:
		return parseBool(texts[0])
	}
	return texts[0], nil
}

func lines(texts []string) []any {
	all := []any{}
	for _, text := range texts {
		for line := range strings.Lines(text) {
			if line = strings.TrimRight(line, "\r\n"); line != "" {
				all = append(all, line)
			}
		}
	}
	return all
}

func parseBool(text string) (bool, error) {
	b, err := strconv.ParseBool(text)
	if err != nil {
		return false, fmt.Errorf("%.40q is neither true nor false", text)
	}
	return b, nil
}
