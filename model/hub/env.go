package hub

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Roots are the folders in which names are looked up; "" is none.
type Roots struct {
	Cache  string // the Hub's cache, in which models--owner--name lies
	Models string // the registry: the folder models of captiond's state folder
}

// DefaultRoots finds the Hub's cache as huggingface_hub does (constants.py): HF_HUB_CACHE,
// HUGGINGFACE_HUB_CACHE, HF_HOME/hub, XDG_CACHE_HOME/huggingface/hub and
// ~/.cache/huggingface/hub, the first that is set. state is captiond's state folder, or
// "". Getenv is os.Getenv outside tests.
func DefaultRoots(getenv func(string) string, state string) Roots {
	var r Roots
	if state != "" {
		r.Models = filepath.Join(state, "models")
	}
	e := env(getenv)
	r.Cache = cmp.Or(e.path("HF_HUB_CACHE"), e.path("HUGGINGFACE_HUB_CACHE"), under(e.home(), "hub"))
	return r
}

// env reads the variables of huggingface_hub, as its constants.py does.
type env func(string) string

// path is a variable's value with ~ and $NAME in it filled in.
func (e env) path(name string) string {
	value := os.Expand(e(name), e)
	if rest, ok := strings.CutPrefix(value, "~/"); ok {
		return filepath.Join(e("HOME"), rest)
	}
	return value
}

// home is the folder of all that huggingface_hub keeps, "" where there is none.
func (e env) home() string {
	return cmp.Or(e.path("HF_HOME"), under(e.path("XDG_CACHE_HOME"), "huggingface"), under(e("HOME"), ".cache", "huggingface"))
}

// under joins a path, unless its beginning is not known.
func under(root string, rest ...string) string {
	if root == "" {
		return ""
	}
	return filepath.Join(append([]string{root}, rest...)...)
}

func (e env) truth(name string) bool {
	switch strings.ToUpper(e(name)) {
	case "1", "ON", "YES", "TRUE":
		return true
	}
	return false
}

func (e env) offline() bool {
	if e("HF_HUB_OFFLINE") != "" {
		return e.truth("HF_HUB_OFFLINE")
	}
	return e.truth("TRANSFORMERS_OFFLINE")
}

// seconds is a time-out; absent and 0 are ten seconds.
func (e env) seconds(name string) (time.Duration, error) {
	value := cmp.Or(e(name), "0")
	n, err := strconv.Atoi(value)
	if err != nil || n < 0 || n > 86400 {
		return 0, fmt.Errorf("%s=%s: give whole seconds, such as 30", name, value)
	}
	return cmp.Or(time.Duration(n)*time.Second, 10*time.Second), nil
}

func (e env) endpoint() (*url.URL, error) {
	value := strings.TrimRight(cmp.Or(e("HF_ENDPOINT"), "https://huggingface.co"), "/")
	u, err := url.Parse(value)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("HF_ENDPOINT is no address of a hub: give one such as https://huggingface.co")
	}
	if u.User != nil {
		return nil, errors.New("HF_ENDPOINT holds a password: take it out, and give a token in HF_TOKEN")
	}
	return u, nil
}

// maxToken is more bytes than any token has.
const maxToken = 4 << 10

// token is HF_TOKEN's, else that of the file that `hf auth login` writes, "" without one.
func (e env) token() (string, error) {
	if e.truth("HF_HUB_DISABLE_IMPLICIT_TOKEN") {
		return "", nil
	}
	token, from := cmp.Or(strings.TrimSpace(e("HF_TOKEN")), strings.TrimSpace(e("HUGGING_FACE_HUB_TOKEN"))), "HF_TOKEN"
	if token == "" {
		from = cmp.Or(e.path("HF_TOKEN_PATH"), under(e.home(), "token"))
		var err error
		if token, err = readToken(from); err != nil {
			return "", fmt.Errorf("read token: %w: give it in HF_TOKEN, or name another file in HF_TOKEN_PATH", err)
		}
	}
	odd := func(r rune) bool { return r <= ' ' || r > '~' }
	if len(token) > maxToken || strings.ContainsFunc(token, odd) {
		return "", fmt.Errorf("the token in %s is none: it is one word of ASCII", from)
	}
	return token, nil
}

func readToken(path string) (string, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxToken+1))
	return strings.TrimSpace(string(data)), err
}

// inClear says whether what is sent to a host can be read on the way.
func inClear(u *url.URL) bool {
	ip := net.ParseIP(u.Hostname())
	return u.Scheme != "https" && u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback())
}
