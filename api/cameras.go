package api

import (
	"context"
	"fmt"
	"image"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/captiond/captiond/pipeline/live"
	"github.com/captiond/captiond/sinks"
)

// CameraHost watches cameras: those of the configuration and those of clients. All methods may
// be called by several goroutines at once.
type CameraHost interface {
	// Check says what is wrong with a camera of a client, as an *Error that names each field.
	Check(ctx context.Context, c NamedCamera) error
	// Put makes the cameras of clients these: it stops and starts what has changed, and returns
	// when that is done. One that cannot be watched is logged, and told among Cameras.
	Put(ctx context.Context, cameras []NamedCamera) error
	// Cameras are all that there are, in the order of their names.
	Cameras() []Camera
	// View is how a camera can be looked at, where it is watched.
	View(name string) (CameraView, bool)
}

// CameraView is how a camera can be looked at.
type CameraView struct {
	Screen *live.Screen
	Tap    *live.Tap
	Masked bool // its units show what nobody is to see
	State  sinks.State
	Detail string
}

// CamerasOptions are what cameras work with.
type CamerasOptions struct {
	File string // that keeps the cameras of clients
	Host CameraHost
	Try  func(context.Context, CameraSpec) (Trial, error) // opens an address once
	Most int                                              // cameras of clients; 0 is 64
}

// Cameras are what clients can do with cameras. All methods may be called by several goroutines
// at once; changes are made one after another.
type Cameras struct {
	CamerasOptions
	store  cameraStore
	turn   chan struct{} // to change
	trials chan struct{}
	asked  []NamedCamera // of clients, in the order of their names
}

const (
	mostCameras = 64
	mostTrials  = 2
	// A picture that is older shows nothing of now. Windows may be so long that one is sampled
	// every 100 s.
	oldPicture = 10 * time.Minute
)

// OpenCameras reads the cameras that clients have added before. It starts none: see Asked.
func OpenCameras(o CamerasOptions) (*Cameras, error) {
	if o.Most <= 0 {
		o.Most = mostCameras
	}
	c := &Cameras{CamerasOptions: o, store: cameraStore{o.File}, turn: make(chan struct{}, 1), trials: make(chan struct{}, mostTrials)}
	var err error
	c.asked, err = c.store.read()
	return c, err
}

// Asked are the cameras that clients have added, with their credentials: what a host is to watch
// when the daemon starts.
func (c *Cameras) Asked(ctx context.Context) (asked []NamedCamera, err error) {
	err = c.inTurn(ctx, func() error {
		asked = slices.Clone(c.asked)
		return nil
	})
	return asked, err
}

// List is all cameras, in the order of their names.
func (c *Cameras) List() []Camera {
	all := c.Host.Cameras()
	for i := range all {
		all[i] = all[i].shown()
	}
	return all
}

// Get is one camera.
func (c *Cameras) Get(name string) (Camera, error) {
	for _, camera := range c.Host.Cameras() {
		if camera.Name == name {
			return camera.shown(), nil
		}
	}
	return Camera{}, noCamera(name)
}

func noCamera(name string) error {
	return Errorf(http.StatusNotFound, "there is no camera %.64q: GET /v1/cameras lists all", name)
}

// Add begins to watch a camera, and keeps it.
func (c *Cameras) Add(ctx context.Context, added NamedCamera) (Camera, error) {
	err := c.change(ctx, added.Name, func(at int, _ []NamedCamera) ([]NamedCamera, error) {
		if at >= 0 {
			return nil, Errorf(http.StatusConflict, "a camera %s is there already: change it with PATCH, or choose another name", added.Name)
		}
		if len(c.asked) >= c.Most {
			return nil, Errorf(http.StatusConflict, "there are %d cameras, and more cannot be added: remove one, or put it into the configuration file", c.Most)
		}
		if err := c.Host.Check(ctx, added); err != nil {
			return nil, err
		}
		return append(slices.Clone(c.asked), added), nil
	})
	if err != nil {
		return Camera{}, err
	}
	return c.Get(added.Name)
}

// Change gives a camera other settings: the fields that are given replace what was. Where that
// changes anything the camera is begun anew.
func (c *Cameras) Change(ctx context.Context, name string, fields CameraSpec) (Camera, error) {
	err := c.change(ctx, name, func(at int, asked []NamedCamera) ([]NamedCamera, error) {
		if at < 0 {
			return nil, noCamera(name)
		}
		after, err := merge(asked[at].CameraSpec, fields)
		if err != nil {
			return nil, err
		}
		asked[at].CameraSpec = after
		return asked, c.Host.Check(ctx, asked[at])
	})
	if err != nil {
		return Camera{}, err
	}
	return c.Get(name)
}

// Remove stops a camera, and forgets it.
func (c *Cameras) Remove(ctx context.Context, name string) error {
	return c.change(ctx, name, func(at int, asked []NamedCamera) ([]NamedCamera, error) {
		if at < 0 {
			return nil, noCamera(name)
		}
		return slices.Delete(asked, at, at+1), nil
	})
}

// change puts other cameras in place of those that were asked for: what edit makes of a copy of
// them, in which the named one is at a place, or -1. They are kept before they are watched; from
// then on it does not matter whether the client waits.
func (c *Cameras) change(ctx context.Context, name string, edit func(at int, asked []NamedCamera) ([]NamedCamera, error)) error {
	return c.inTurn(ctx, func() error {
		if c.configured(name) {
			return Errorf(http.StatusConflict, "the camera %s stands in the daemon's configuration file: change it there, and send the daemon SIGHUP", name)
		}
		at := slices.IndexFunc(c.asked, func(n NamedCamera) bool { return n.Name == name })
		after, err := edit(at, slices.Clone(c.asked))
		if err != nil {
			return err
		}
		slices.SortFunc(after, func(a, b NamedCamera) int { return strings.Compare(a.Name, b.Name) })
		if err := c.store.write(after); err != nil {
			return err
		}
		c.asked = after
		return c.Host.Put(context.WithoutCancel(ctx), slices.Clone(after))
	})
}

func (c *Cameras) configured(name string) bool {
	return slices.ContainsFunc(c.Host.Cameras(), func(o Camera) bool { return o.Configured && o.Name == name })
}

func (c *Cameras) inTurn(ctx context.Context, do func() error) error {
	select {
	case c.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-c.turn }()
	return do()
}

// Snapshot is the last picture of a camera, no older than ten minutes.
func (c *Cameras) Snapshot(name string) (live.Picture, error) {
	v, err := c.view(name)
	if err != nil {
		return live.Picture{}, err
	}
	p, ok := v.Screen.Last()
	switch age := time.Since(p.Seen); {
	case !ok:
		return p, Errorf(http.StatusNotFound, "the camera %s has not been seen yet: it is %s", name, v.condition())
	case age > oldPicture:
		return p, Errorf(http.StatusNotFound, "the camera %s was seen %v ago, which is too long: it is %s", name, age.Round(time.Second), v.condition())
	}
	return p, nil
}

// Video is where the units of a camera come from, which browsers may see.
func (c *Cameras) Video(name string) (*live.Tap, error) {
	v, err := c.view(name)
	if err != nil {
		return nil, err
	}
	if v.Masked {
		return nil, Errorf(http.StatusConflict, "the camera %s has masks, and video is passed on as it is: use its snapshot.jpg, which has them", name)
	}
	return v.Tap, nil
}

func (c *Cameras) view(name string) (CameraView, error) {
	if v, ok := c.Host.View(name); ok {
		return v, nil
	}
	camera, err := c.Get(name)
	if err != nil {
		return CameraView{}, err
	}
	v := CameraView{State: camera.State, Detail: camera.Detail}
	return v, Errorf(http.StatusNotFound, "the camera %s is not watched: it is %s", name, v.condition())
}

func (v CameraView) condition() string {
	if v.Detail == "" {
		return string(v.State)
	}
	return fmt.Sprintf("%s (%s)", v.State, v.Detail)
}

// Trial is what came of opening an address once.
type Trial struct {
	OK         bool               `json:"ok"`
	State      sinks.State        `json:"state" doc:"live, or what a camera there would be: connecting, stalled, refused, wrong-password or no-video"`
	Reason     string             `json:"reason,omitempty" doc:"why there is no picture, and what to do"`
	Codec      string             `json:"codec,omitempty" doc:"h264, h265 or mjpeg"`
	Width      int                `json:"width,omitempty"`
	Height     int                `json:"height,omitempty"`
	Image      string             `json:"image,omitempty" doc:"a JPEG of at most 1280 pixels' width, as a data: URL"`
	Caption    string             `json:"caption,omitempty" doc:"what the caption model says of the picture"`
	Confidence *sinks.Probability `json:"confidence,omitempty"`
	TookMS     int64              `json:"took_ms"`
	Picture    *image.RGBA        `json:"-"`
}

// trialWidth is that of a trial's picture, at most.
const trialWidth = 1280

// Test opens an address once. What is wrong with the address is no error; what is wrong with the
// request is.
func (c *Cameras) Test(ctx context.Context, s CameraSpec) (Trial, error) {
	select {
	case c.trials <- struct{}{}:
	default:
		return Trial{}, Later(http.StatusTooManyRequests, 5*time.Second, fmt.Sprintf("%d addresses are being tested: wait for one of them", mostTrials))
	}
	defer func() { <-c.trials }()
	if err := c.Host.Check(ctx, NamedCamera{Name: "test", CameraSpec: s}); err != nil {
		return Trial{}, err
	}
	begun := time.Now()
	t, err := c.Try(ctx, s)
	if err != nil {
		return Trial{}, err
	}
	t.Reason = s.hide(t.Reason)
	if t.Picture != nil {
		t.Width, t.Height = t.Picture.Rect.Dx(), t.Picture.Rect.Dy()
		if t.Image, err = dataURL(t.Picture, trialWidth); err != nil {
			return Trial{}, err
		}
	}
	t.TookMS = time.Since(begun).Milliseconds()
	return t, nil
}
