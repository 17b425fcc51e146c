package rtsp

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/bluenviron/gortsplib/v5/pkg/base"
	"github.com/bluenviron/gortsplib/v5/pkg/liberrors"
)

// ErrPassword says that the camera does not take the user or the password, or wants some
// where none were given.
var ErrPassword = errors.New("the camera refuses the user or the password: correct username and password")

// ErrLost says that a stream that was open, or a connection, broke off; it is wrapped with
// the cause. Trying again is what helps.
var ErrLost = errors.New("camera lost")

// errOpening is the cause of a session that did not begin in time.
var errOpening = fmt.Errorf("%w: it did not begin to play within %v", ErrLost, openTimeout)

// RefusedError says that the camera answers and does not give the stream.
type RefusedError struct {
	Code   int // of RTSP's answer; 0 where the reason is another, such as a certificate
	Reason string
}

// Error implements error.
func (e *RefusedError) Error() string {
	if e.Code == 0 {
		return "the camera's stream cannot be taken: " + e.Reason
	}
	hint := ""
	if e.Code == int(base.StatusNotFound) {
		hint = ": correct the path of its address"
	}
	return fmt.Sprintf("the camera refuses the stream: %d %s%s", e.Code, e.Reason, hint)
}

// NoVideoError says that nothing that the camera offers can be read.
type NoVideoError struct{ Codecs []string } // of its video tracks

// Error implements error.
func (e *NoVideoError) Error() string {
	if len(e.Codecs) == 0 {
		return "the camera offers no video"
	}
	return fmt.Sprintf("the camera offers %s alone: have it send H.264, H.265 or MJPEG", strings.Join(e.Codecs, ", "))
}

// classify says what an error of the library means.
func classify(err error) error {
	var status liberrors.ErrClientBadStatusCode
	var noVideo *NoVideoError
	var refused *RefusedError // by Dial
	var untrusted *tls.CertificateVerificationError
	switch {
	case errors.As(err, &noVideo):
		return err
	case errors.As(err, &refused):
		return refused
	case errors.As(err, &untrusted):
		return &RefusedError{Reason: fmt.Sprintf("its certificate is not trusted: %v", untrusted.Err)}
	case !errors.As(err, &status):
		return fmt.Errorf("%w: %w", ErrLost, err)
	case status.Code == base.StatusUnauthorized:
		return ErrPassword
	}
	return &RefusedError{Code: int(status.Code), Reason: status.Message}
}

// hide takes the password out of an error's text, as it is and as a URL spells it.
func (c Camera) hide(err error) error {
	if err == nil || c.Password == "" {
		return err
	}
	text := err.Error()
	for _, secret := range []string{c.Password, url.QueryEscape(c.Password), url.PathEscape(c.Password)} {
		text = strings.ReplaceAll(text, secret, "xxxxx")
	}
	if text == err.Error() {
		return err
	}
	return hiddenError{text, err}
}

// hiddenError is an error with another text.
type hiddenError struct {
	text  string
	cause error
}

func (e hiddenError) Error() string { return e.text }

// Is makes the cause known without letting its text out.
func (e hiddenError) Is(target error) bool { return errors.Is(e.cause, target) }
