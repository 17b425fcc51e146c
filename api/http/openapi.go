package http

import (
	"encoding/json"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/captiond/captiond/api"
	"github.com/captiond/captiond/sinks"
)

// config is that of an API which describes itself and adds nothing to its bodies.
func config() huma.Config {
	c := huma.DefaultConfig("captiond", "1")
	c.Info.Description = "Turn video into timestamped text, and ask about it. Errors are application/problem+json: their detail says what to do."
	c.OpenAPIPath, c.DocsPath, c.SchemasPath = "", "", "" // huma's writes while it is read
	c.CreateHooks = nil                                   // which add $schema
	c.Transformers = []huma.Transformer{plainly}
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{scheme: {
		Type: "http", Scheme: "bearer",
		Description: "Needed beyond the loopback interface. `captiond token add NAME --scopes read,ask,upload,admin` makes one.",
	}}
	types := c.Components.Schemas
	types.RegisterTypeAlias(reflect.TypeFor[sinks.Seconds](), reflect.TypeFor[seconds]())
	types.RegisterTypeAlias(reflect.TypeFor[sinks.Probability](), reflect.TypeFor[probability]())
	types.RegisterTypeAlias(reflect.TypeFor[sinks.Time](), reflect.TypeFor[instant]())
	types.RegisterTypeAlias(reflect.TypeFor[api.Moment](), reflect.TypeFor[moment]())
	return c
}

// describe serves the description of all routes that are registered by now.
func describe(a huma.API) {
	growing(a.OpenAPI())
	j, err := json.Marshal(a.OpenAPI())
	y, err2 := a.OpenAPI().YAML()
	if err != nil || err2 != nil {
		panic("describe API: types without JSON") // which no test of this package would pass
	}
	for path, doc := range map[string][]byte{"/openapi.json": j, "/openapi.yaml": y} {
		Mount(a, huma.Operation{Method: http.MethodGet, Path: path, Hidden: true}, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/openapi+"+path[len("/openapi."):])
			_, _ = w.Write(doc) // the client may be gone
		}))
	}
}

// growing lets answers have more than is described: later versions will. What clients send is
// held to its description.
func growing(doc *huma.OpenAPI) {
	sent, types := make(map[string]bool), doc.Components.Schemas.Map()
	for _, path := range doc.Paths {
		for _, op := range []*huma.Operation{path.Post, path.Put, path.Patch} {
			if op == nil || op.RequestBody == nil {
				continue
			}
			for _, kind := range op.RequestBody.Content {
				mark(sent, types, kind.Schema)
			}
		}
	}
	for name, s := range types {
		if s.AdditionalProperties == false && !sent[name] {
			s.AdditionalProperties = nil
		}
	}
}

// mark adds the names of all types that a schema is made of.
func mark(names map[string]bool, types map[string]*huma.Schema, s *huma.Schema) {
	if s == nil {
		return
	}
	if name := s.Ref[strings.LastIndexByte(s.Ref, '/')+1:]; name != "" && !names[name] {
		names[name] = true
		mark(names, types, types[name])
	}
	mark(names, types, s.Items)
	for _, p := range s.Properties {
		mark(names, types, p)
	}
	for _, p := range slices.Concat(s.AllOf, s.AnyOf, s.OneOf) {
		mark(names, types, p)
	}
}

// The types that have a JSON of their own.
type (
	seconds     struct{}
	probability struct{}
	instant     struct{}
	moment      struct{}
)

// Schema implements huma.SchemaProvider.
func (seconds) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeNumber, Description: "seconds, in whole milliseconds"}
}

// Schema implements huma.SchemaProvider.
func (probability) Schema(huma.Registry) *huma.Schema {
	least, most := 0.0, 1.0
	return &huma.Schema{Type: huma.TypeNumber, Minimum: &least, Maximum: &most}
}

// Schema implements huma.SchemaProvider.
func (instant) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Format: "date-time"}
}

// Schema implements huma.SchemaProvider.
func (moment) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{OneOf: []*huma.Schema{{Type: huma.TypeNumber}, {Type: huma.TypeString, Format: "date-time"}}}
}
