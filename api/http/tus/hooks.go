package tus

import (
	"context"
	"net/http"

	"github.com/tus/tusd/v2/pkg/handler"

	"github.com/captiond/captiond/api"
	door "github.com/captiond/captiond/api/http"
)

// The keys of an upload's metadata, beside its options. The owner is written by us alone.
const (
	fileName = "filename"
	fileType = "filetype"
	owner    = "owner"
)

// reason is why a hook refused. The library would make an error of ours one of its own.
type reason struct{ err error }

type reasonKey struct{}

// refuse remembers why.
func refuse(ctx context.Context, err error) error {
	if why, ok := ctx.Value(reasonKey{}).(*reason); ok {
		why.err = err
	}
	return err
}

// create says whether an upload may begin, before its bytes come.
func (u *uploads) create(e handler.HookEvent) (handler.HTTPResponse, handler.FileInfoChanges, error) {
	var none handler.HTTPResponse
	ctx, m := e.Context, e.Upload.MetaData
	if e.Upload.Size == 0 {
		return none, handler.FileInfoChanges{}, refuse(ctx, api.Errorf(http.StatusUnprocessableEntity, "the file is empty: copy or download it again"))
	}
	if _, err := door.ParseOptions(option(m)); err != nil {
		return none, handler.FileInfoChanges{}, refuse(ctx, err)
	}
	who := door.CallerOf(ctx)
	if err := u.Uploads.Admit(ctx, who, e.Upload.Size); err != nil {
		return none, handler.FileInfoChanges{}, refuse(ctx, err)
	}
	kept := handler.MetaData{fileName: api.Title(m[fileName]), fileType: api.Title(m[fileType]), owner: who.Name}
	for _, name := range door.OptionNames() {
		if m[name] != "" {
			kept[name] = m[name]
		}
	}
	return none, handler.FileInfoChanges{ID: door.NewID(), MetaData: kept}, nil
}

func option(m handler.MetaData) func(string) string {
	return func(name string) string { return m[name] }
}

// finish makes a video of an upload whose last byte has come, while its client waits.
func (u *uploads) finish(e handler.HookEvent) (none handler.HTTPResponse, err error) {
	if err := u.add(e.Context, e.Upload); err != nil {
		return none, refuse(e.Context, err)
	}
	return none, nil
}

// add outlives the client: the file is whole.
func (u *uploads) add(ctx context.Context, info handler.FileInfo) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), addTime)
	defer cancel()
	options, err := door.ParseOptions(option(info.MetaData))
	if err != nil {
		return err
	}
	who := door.CallerOf(ctx)
	who.Name = info.MetaData[owner] // an admin may go on with what is another's
	_, err = u.Uploads.Add(ctx, who, api.Upload{ID: info.ID, Title: info.MetaData[fileName], Bytes: info.Size, Options: options})
	return err
}

// terminate: an upload that is whole is a video's file.
func (u *uploads) terminate(e handler.HookEvent) (none handler.HTTPResponse, err error) {
	if e.Upload.Offset == e.Upload.Size {
		return none, refuse(e.Context, api.Errorf(http.StatusConflict, "this upload is whole, and a video by now: DELETE /v1/videos/%s", e.Upload.ID))
	}
	return none, nil
}
