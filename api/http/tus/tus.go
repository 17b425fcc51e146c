// Package tus is the way for uploads that can be resumed: the protocol of tus.io, version 1.0,
// with creation, creation-with-upload and termination. The upload's id is the video's id.
//
// An upload is its creator's: to all others it is not there. Its length is declared, so that
// room can be kept for it. There is no download, no concatenation, and no word to the pages of
// other sites. What it keeps lies in the folder of uploads: the bytes that came as <id>, what
// is known of them as <id>.info; old ones that never became whole are files.Folder's to remove.
package tus

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/tus/tusd/v2/pkg/filestore"
	"github.com/tus/tusd/v2/pkg/handler"
	"github.com/tus/tusd/v2/pkg/memorylocker"
	"golang.org/x/exp/slog"

	"github.com/captiond/captiond/api"
	door "github.com/captiond/captiond/api/http"
	"github.com/captiond/captiond/api/tokens"
	"github.com/captiond/captiond/pipeline/files"
)

// Options are what uploads need.
type Options struct {
	Folder   string // where they come in: there, for this user alone
	MaxBytes int64  // of one upload
	Uploads  door.Uploads
	Videos   door.Videos   // to learn which uploads have become videos
	Patience time.Duration // without a byte; 0 is half a minute
}

// base is the address of the protocol.
const base = "/v1/uploads/"

// The times of the library: how long a request waits for another that writes to the same
// upload, and how long it may outlive its client.
const (
	lockTime  = 20 * time.Second
	afterTime = 200 * time.Millisecond
	patience  = 30 * time.Second
	addTime   = 2 * time.Minute // for a file that is whole to be looked at, stored and queued
)

// uploads is the protocol at work.
type uploads struct {
	Options
	store  filestore.FileStore
	tus    *handler.UnroutedHandler
	locked locker
}

// New makes the routes, for Options.More of the server. Several servers may not share a folder.
func New(o Options) (func(huma.API), error) {
	u := &uploads{Options: o, locked: locker{memorylocker.New()}}
	u.store = filestore.FileStore{Path: o.Folder, DirModePerm: 0o700, FileModePerm: 0o600}
	parts := handler.NewStoreComposer()
	parts.UseCore(u.store)
	parts.UseTerminater(u.store)
	parts.UseLocker(u.locked)
	wait := o.Patience
	if wait == 0 {
		wait = patience
	}
	var err error
	u.tus, err = handler.NewUnroutedHandler(handler.Config{
		StoreComposer: parts, BasePath: base, MaxSize: o.MaxBytes,
		DisableDownload: true, DisableConcatenation: true, Cors: &handler.CorsConfig{Disable: true},
		Logger:                  silent(),
		PreUploadCreateCallback: u.create, PreFinishResponseCallback: u.finish, PreUploadTerminateCallback: u.terminate,
		AcquireLockTimeout: lockTime, NetworkTimeout: wait, GracefulRequestCompletionTimeout: afterTime,
	})
	if err != nil {
		return nil, fmt.Errorf("prepare uploads: %w", err)
	}
	return u.register, nil
}

// silent: the library tells of every request, and of errors what we tell ourselves.
func silent() *slog.Logger {
	return slog.New(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelError + 1}))
}

func (u *uploads) register(a huma.API) {
	for _, path := range []string{"/v1/uploads", base + "{$}"} {
		for method, handle := range map[string]http.HandlerFunc{http.MethodPost: u.tus.PostFile, http.MethodOptions: nothing} {
			door.Mount(a, u.operation(method, path), u.serve(handle))
		}
	}
	for method, handle := range map[string]http.HandlerFunc{
		http.MethodHead: u.tus.HeadFile, http.MethodPatch: u.tus.PatchFile, http.MethodDelete: u.tus.DelFile,
	} {
		door.Mount(a, u.operation(method, base+"{id}"), u.owned(u.serve(handle)))
	}
}

// nothing: the library answers OPTIONS itself.
func nothing(http.ResponseWriter, *http.Request) {}

func (u *uploads) operation(method, path string) huma.Operation {
	op := huma.Operation{
		Method: method, Path: path, Tags: []string{"uploads"}, Security: door.Needs(tokens.Upload),
		Hidden: path == base+"{$}" || method == http.MethodOptions, Description: "The protocol of tus.io, version 1.0.0.",
	}
	switch method {
	case http.MethodPost:
		op.OperationID, op.Summary = "create-upload", "Begin an upload that can be resumed"
		op.Description += " Upload-Length must be given. Upload-Metadata may have filename, filetype, and the options every, whole, scenes and model."
	case http.MethodHead:
		op.OperationID, op.Summary = "head-upload", "How much of an upload has come"
	case http.MethodPatch:
		op.OperationID, op.Summary = "patch-upload", "Go on with an upload; with its last byte it becomes a video"
	case http.MethodDelete:
		op.OperationID, op.Summary = "delete-upload", "Give an upload up"
	}
	if path == base+"{id}" {
		op.Parameters = []*huma.Param{{Name: "id", In: "path", Required: true, Schema: &huma.Schema{Type: huma.TypeString}}}
	}
	return op
}

// serve runs a handler of the library, whose errors become problems.
func (u *uploads) serve(handle http.HandlerFunc) http.Handler {
	h := http.StripPrefix("/v1/uploads", u.tus.Middleware(handle))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		why := &reason{}
		r = r.WithContext(context.WithValue(r.Context(), reasonKey{}, why))
		t := &translator{ResponseWriter: w, request: r, why: why}
		h.ServeHTTP(t, r)
		t.end()
	})
}

// owned lets the creator of an upload to it, and nobody else see it. One whose last byte came
// as the daemon died becomes a video now.
func (u *uploads) owned(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		info, err := u.find(r.Context(), r.PathValue("id"))
		if err == nil && !door.CallerOf(r.Context()).Owns(info.MetaData[owner]) {
			err = handler.ErrNotFound
		}
		if err == nil && info.Offset == info.Size && r.Method != http.MethodDelete {
			err = u.again(r.Context(), info)
		}
		if err != nil {
			door.WriteProblem(w, r, plain(err))
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (u *uploads) find(ctx context.Context, id string) (handler.FileInfo, error) {
	if !files.ValidID(id) {
		return handler.FileInfo{}, handler.ErrNotFound
	}
	upload, err := u.store.GetUpload(ctx, id)
	if err != nil {
		return handler.FileInfo{}, err
	}
	return upload.GetInfo(ctx)
}

// again makes a video of an upload that is whole, if it is none yet.
func (u *uploads) again(ctx context.Context, info handler.FileInfo) error {
	_, err := u.Videos.Get(ctx, api.Caller{Admin: true}, info.ID)
	if api.Status(err) != http.StatusNotFound {
		return nil // it is one, or nobody knows now: the library says how much came
	}
	lock, err := u.locked.NewLock(info.ID)
	if err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, lockTime)
	defer cancel()
	if err := lock.Lock(limited, func() {}); err != nil {
		return err
	}
	defer func() { _ = lock.Unlock() }()
	if err := u.add(ctx, info); api.Status(err) != http.StatusConflict {
		return err
	}
	return nil // another request was as quick
}
