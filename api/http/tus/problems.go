package tus

import (
	"errors"
	"net/http"
	"strings"
	"syscall"

	"github.com/tus/tusd/v2/pkg/handler"

	"github.com/captiond/captiond/api"
	door "github.com/captiond/captiond/api/http"
)

// translator makes problems of the library's errors, and addresses without a host of its
// Location: by what name the client came, the client knows best.
type translator struct {
	http.ResponseWriter
	request *http.Request
	why     *reason
	failed  bool
	body    strings.Builder // of an error
}

// Unwrap is for http.ResponseController.
func (t *translator) Unwrap() http.ResponseWriter { return t.ResponseWriter }

// WriteHeader implements http.ResponseWriter.
func (t *translator) WriteHeader(status int) {
	h := t.Header()
	if place := h.Get("Location"); place != "" {
		h.Set("Location", base+place[strings.LastIndexByte(place, '/')+1:])
	}
	if status >= http.StatusBadRequest {
		t.failed = true
		return
	}
	t.ResponseWriter.WriteHeader(status)
}

// maxError is more than the library has to say.
const maxError = 4 << 10

// Write implements io.Writer.
func (t *translator) Write(b []byte) (int, error) {
	if !t.failed {
		return t.ResponseWriter.Write(b)
	}
	if t.body.Len() < maxError {
		t.body.Write(b)
	}
	return len(b), nil
}

// end tells what went wrong, if anything did.
func (t *translator) end() {
	switch {
	case !t.failed:
		return
	case t.why.err != nil:
		door.WriteProblem(t.ResponseWriter, t.request, t.why.err)
		return
	}
	code, message, _ := strings.Cut(strings.TrimSpace(t.body.String()), ": ")
	door.WriteProblem(t.ResponseWriter, t.request, plain(handler.Error{ErrorCode: code, Message: message}))
}

// plain is what the client is told of an error of the library. Where it has none of this kind,
// its words become an error of ours, which is logged.
func plain(err error) error {
	e, ok := errors.AsType[handler.Error](err)
	if !ok {
		return err
	}
	if told, ok := told()[e.ErrorCode]; ok {
		return &told
	}
	if strings.Contains(e.Message, syscall.ENOSPC.Error()) {
		return syscall.ENOSPC
	}
	return errors.New("tus: " + e.ErrorCode + ": " + e.Message)
}

// told is the library's errors in words that say what to do. Those of a connection that broke
// are read by nobody.
func told() map[string]api.Error {
	const resume = "ask with HEAD how much has come, and go on from there"
	return map[string]api.Error{
		handler.ErrNotFound.ErrorCode:                 {Status: http.StatusNotFound, Message: "there is no such upload, or it is another token's: begin one with POST /v1/uploads"},
		handler.ErrUnsupportedVersion.ErrorCode:       {Status: http.StatusPreconditionFailed, Message: "send the header 'Tus-Resumable: 1.0.0'"},
		handler.ErrMaxSizeExceeded.ErrorCode:          {Status: http.StatusRequestEntityTooLarge, Message: "the file is too large: uploads.max_bytes is the most that is taken"},
		handler.ErrInvalidContentType.ErrorCode:       {Status: http.StatusUnsupportedMediaType, Message: "send the header 'Content-Type: application/offset+octet-stream'"},
		handler.ErrInvalidUploadLength.ErrorCode:      {Status: http.StatusBadRequest, Message: "send the file's size as the header Upload-Length"},
		handler.ErrInvalidOffset.ErrorCode:            {Status: http.StatusBadRequest, Message: "send how much came before as the header Upload-Offset"},
		handler.ErrMismatchOffset.ErrorCode:           {Status: http.StatusConflict, Message: "Upload-Offset is not where the upload stands: " + resume},
		handler.ErrSizeExceeded.ErrorCode:             {Status: http.StatusRequestEntityTooLarge, Message: "these are more bytes than Upload-Length declared: begin another upload with the right length"},
		handler.ErrNotImplemented.ErrorCode:           {Status: http.StatusNotImplemented, Message: "the size must be known from the beginning: send it as the header Upload-Length"},
		handler.ErrFileLocked.ErrorCode:               {Status: http.StatusLocked, Message: "another request writes to this upload: come again"},
		handler.ErrLockTimeout.ErrorCode:              {Status: http.StatusLocked, Message: "another request writes to this upload: come again"},
		handler.ErrUploadInterrupted.ErrorCode:        {Status: http.StatusConflict, Message: "another request took this upload over"},
		handler.ErrReadTimeout.ErrorCode:              {Status: http.StatusRequestTimeout, Message: "the body came too slowly: " + resume},
		handler.ErrUnexpectedEOF.ErrorCode:            {Status: http.StatusBadRequest, Message: "the body ended early: " + resume},
		handler.ErrConnectionReset.ErrorCode:          {Status: http.StatusBadRequest, Message: "the connection broke: " + resume},
		handler.ErrConcatenationUnsupported.ErrorCode: {Status: http.StatusBadRequest, Message: "uploads are not joined: send the file as one"},
	}
}
