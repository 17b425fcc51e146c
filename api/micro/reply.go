package micro

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"syscall"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/captiond/captiond/api"
)

// problem is the body of an error, as RFC 9457 has it and as the HTTP server writes it.
type problem struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
}

// headRoom is what the header of a reply takes of a message, at most.
const headRoom = 1 << 10

// respond sends a value, or the error. It says whether it sent the value.
func (e *endpoint) respond(m message, v any, err error) bool {
	var body []byte
	if err == nil {
		if body, err = encode(v); err == nil {
			if most := e.Conn.MaxPayload() - headRoom; int64(len(body)) > most {
				err = api.Errorf(422, "the reply has %d bytes, and a message of this NATS server at most %d: ask fewer questions at once", len(body), most)
			}
		}
	}
	reply := nats.NewMsg(m.reply)
	reply.Data = body
	reply.Header.Set("Content-Type", "application/json")
	if err != nil {
		e.explain(reply, err)
	}
	if failed := e.Conn.PublishMsg(reply); failed != nil {
		e.Log.Warn("nats reply lost", "subject", e.Prefix+"."+e.name, "err", failed)
		return false
	}
	return err == nil
}

// encode is as sinks.Encode: text is data, not HTML.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// explain makes a reply that of an error.
func (e *endpoint) explain(reply *nats.Msg, err error) {
	told := e.refusal(err)
	p := problem{http.StatusText(told.Status), told.Status, cut(told.Message, 1000)}
	body, err := encode(p)
	if err != nil { // there is nothing in it that JSON does not have
		body = nil
	}
	reply.Data = body
	reply.Header.Set("Content-Type", "application/problem+json")
	reply.Header.Set(micro.ErrorHeader, cut(told.Message, 300))
	reply.Header.Set(micro.ErrorCodeHeader, strconv.Itoa(told.Status))
	if told.RetryAfter > 0 {
		reply.Header.Set("Retry-After", strconv.Itoa(int(math.Ceil(told.RetryAfter.Seconds()))))
	}
}

// refusal is what the client is told of an error. What is no *api.Error is a fault of ours: it
// is logged, and the client learns where.
func (e *endpoint) refusal(err error) *api.Error {
	if told, ok := errors.AsType[*api.Error](err); ok {
		return told
	}
	switch {
	case errors.Is(err, context.Canceled):
		return &api.Error{Status: 503, Message: "the daemon stops: ask again"}
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return &api.Error{Status: 507, Message: "the daemon's disk is full: ask the operator to make room"}
	}
	ref := rand.Text()[:12]
	e.Log.Error("nats request failed", "ref", ref, "endpoint", e.name, "err", err)
	return &api.Error{Status: 500, Message: "internal error: the daemon's log has more about it under ref=" + ref}
}
