package http

import (
	"encoding/json"
	"net/http"
	"reflect"

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
