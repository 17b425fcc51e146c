package http

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/captiond/captiond/api"
	"github.com/captiond/captiond/api/tokens"
)

// door is where every route comes through: so none can be without its scope and limits.
type door struct {
	Options
	mux    *http.ServeMux
	api    huma.API
	local  bool // it listens on the loopback interface alone
	origin *http.CrossOriginProtection
	rates  map[tokens.Scope]*buckets
	work   *gates // requests
	bodies *gates // uploads
	all    []*huma.Operation
}

var _ huma.Adapter = (*door)(nil)

func newDoor(o Options, local bool) *door {
	l := o.Limits
	d := &door{
		Options: o, mux: http.NewServeMux(), local: local, origin: http.NewCrossOriginProtection(),
		rates: l.rates(), work: newGates(l.Requests, l.Requests), bodies: newGates(l.Uploads, l.UploadsOfOne),
	}
	d.mux.HandleFunc("/", d.nothing)
	d.api = huma.NewAPI(config(), d)
	return d
}

// routes registers all there is.
func (d *door) routes() {
	d.health(d.api)
	d.videos(d.api)
	d.captions(d.api)
	d.asks(d.api)
	for _, register := range d.More {
		register(d.api)
	}
	describe(d.api)
}

// ServeHTTP is what all requests have in common.
func (d *door) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w := newReply(rw, d.Limits.Patience)
	defer d.Metrics.request(w, r)()
	v := &visit{log: d.Log, caller: api.Caller{}}
	r = r.WithContext(context.WithValue(r.Context(), visitKey{}, v))
	defer recovered(w, r)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	d.answer(w, r)
}

func (d *door) answer(w *reply, r *http.Request) {
	defer w.extend() // for what the server has yet to send
	if r.ContentLength != 0 {
		b := newPacedBody(w, r, d.Limits)
		defer b.linger(w, r)
		r.Body, w.body = b, b
	}
	if err := d.checkName(r); err != nil {
		WriteProblem(w, r, err)
		return
	}
	d.mux.ServeHTTP(w, r)
}

// recovered tells of a fault in a handler. The client learns of it where nothing was sent yet.
func recovered(w *reply, r *http.Request) {
	cause := recover()
	switch {
	case cause == nil:
		return
	case cause == http.ErrAbortHandler: //nolint:errorlint // it is what was thrown, of any type
		panic(cause)
	}
	logOf(r.Context()).Error("http handler panicked", "panic", cause, "stack", string(debug.Stack()))
	if w.status != 0 {
		panic(http.ErrAbortHandler) // so that the client sees that it is not whole
	}
	WriteProblem(w, r, errPanic)
}

// Handle implements huma.Adapter.
func (d *door) Handle(op *huma.Operation, handle func(huma.Context)) {
	d.all = append(d.all, op)
	scope, route := scopeOf(op), op.Method+" "+op.Path
	d.mux.HandleFunc(route, func(w http.ResponseWriter, r *http.Request) {
		if reply, ok := w.(*reply); ok {
			reply.route = route
		}
		leave, err := d.enter(r, op, scope)
		if err != nil {
			WriteProblem(w, r, err)
			return
		}
		defer leave()
		handle(humago.NewContext(op, r, w))
	})
}

// enter lets a request in, or says why not.
func (d *door) enter(r *http.Request, op *huma.Operation, scope tokens.Scope) (leave func(), err error) {
	if scope == anyone {
		return func() {}, nil
	}
	if err := d.checkOrigin(r); err != nil {
		return nil, err
	}
	caller, err := d.identify(r)
	if err != nil {
		return nil, cmp.Or(d.rate(r, tokens.Read), err) // who guesses may not do so often
	}
	if err := caller.may(scope); err != nil {
		return nil, err
	}
	visitOf(r.Context()).caller = caller.Caller
	if op.Metadata[endless] == true {
		return func() {}, d.rate(r, scope)
	}
	return d.queue(r, scope)
}

// endless marks, in its Metadata, an operation whose answers do not end by themselves. It bounds
// its clients itself: they must not take the places of requests.
const endless = "endless"

// queue holds a request to its limits. Rates are told apart by what is asked for: admin's
// requests count like those that read.
func (d *door) queue(r *http.Request, scope tokens.Scope) (leave func(), err error) {
	who, body := bucketOf(r), scope == tokens.Upload && r.ContentLength != 0
	if scope == tokens.Admin {
		scope = tokens.Read
	}
	if err := d.rate(r, scope); err != nil {
		return nil, err
	}
	if err := d.work.enter(who); err != nil {
		return nil, err
	}
	if !body {
		return func() { d.work.leave(who) }, nil
	}
	if err := d.bodies.enter(who); err != nil {
		d.work.leave(who)
		return nil, err
	}
	return func() { d.bodies.leave(who); d.work.leave(who) }, nil
}

// nothing answers where there is no route: 405 if there is one by another method.
func (d *door) nothing(w http.ResponseWriter, r *http.Request) {
	var methods []string
	for _, m := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		other := r.Clone(r.Context())
		other.Method = m
		if _, pattern := d.mux.Handler(other); pattern != "/" {
			methods = append(methods, m)
		}
	}
	if len(methods) == 0 || slices.Contains(methods, r.Method) {
		WriteProblem(w, r, api.Errorf(http.StatusNotFound, "there is nothing at this path: /openapi.yaml lists all there is"))
		return
	}
	w.Header().Set("Allow", strings.Join(methods, ", "))
	WriteProblem(w, r, api.Errorf(http.StatusMethodNotAllowed, "this path takes %s, not %.20s", strings.Join(methods, ", "), r.Method))
}

// visit is what is known of a request, beside the request.
type visit struct {
	log    *slog.Logger
	caller api.Caller
}

type visitKey struct{}

func visitOf(ctx context.Context) *visit {
	if v, ok := ctx.Value(visitKey{}).(*visit); ok {
		return v
	}
	return &visit{log: slog.New(slog.DiscardHandler)}
}

func logOf(ctx context.Context) *slog.Logger { return visitOf(ctx).log }

// CallerOf is who asks, as the door found out.
func CallerOf(ctx context.Context) api.Caller { return visitOf(ctx).caller }

// Mount serves a route by a plain handler. Like every route, it needs the scope that its
// Security says (see Needs), and stands in the description unless it is Hidden.
func Mount(a huma.API, op huma.Operation, h http.Handler) {
	if !op.Hidden {
		if op.Responses == nil {
			op.Responses = map[string]*huma.Response{"default": {Description: "see the description"}}
		}
		a.OpenAPI().AddOperation(&op)
	}
	a.Adapter().Handle(&op, func(c huma.Context) {
		r, w := humago.Unwrap(c)
		h.ServeHTTP(w, r)
	})
}
