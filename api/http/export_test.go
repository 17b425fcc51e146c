package http

import "github.com/danielgtaylor/huma/v2"

// Describe is all that a server with these options answers to.
func Describe(o Options) ([]*huma.Operation, *huma.OpenAPI) {
	d := newDoor(o, true)
	d.routes()
	return d.all, d.api.OpenAPI()
}
