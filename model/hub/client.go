package hub

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Client downloads checkpoints from a Hub into the Hub's cache, laid out so that
// huggingface_hub finds them there, and finds what that left. It may be used concurrently,
// beside other processes too: a file is downloaded once, and the others wait for it.
type Client struct {
	Cache    string         // the cache's folder
	Log      *slog.Logger   // nil for none
	Progress func(Progress) // called often, by one goroutine of each Pull; nil for none

	endpoint    *url.URL
	token       string
	offline     bool
	headTimeout time.Duration // of one look at a file
	bodyTimeout time.Duration // without a byte of a download
	http        transport
	sleep       func(context.Context, time.Duration) error
}

// Progress is how far a Pull has come, in bytes. Done may fall: a server that cannot go on
// where a download was cut begins it again.
type Progress struct {
	File        string // the file at work
	Done, Total int64  // of all files, what was there already among them
}

// Snapshot is a checkpoint in the cache.
type Snapshot struct {
	Ref        Ref
	Commit     string // 40 hex digits
	Dir        string // where its files lie
	Weights    string // the weights' file name
	Downloaded int64  // bytes that came over the network
	Hint       string // what the user may want to know, or ""
}

// NewClient makes a client as the variables of huggingface_hub say: HF_HOME, HF_HUB_CACHE
// (see DefaultRoots), HF_ENDPOINT, HF_TOKEN or the file HF_TOKEN_PATH, HF_HUB_OFFLINE or
// TRANSFORMERS_OFFLINE, HF_HUB_ETAG_TIMEOUT and HF_HUB_DOWNLOAD_TIMEOUT. A proxy is that of
// the process's environment (HTTPS_PROXY).
func NewClient(getenv func(string) string) (*Client, error) {
	e := env(getenv)
	c := &Client{Cache: DefaultRoots(getenv, "").Cache, offline: e.offline(), sleep: pause}
	var errs [4]error
	c.endpoint, errs[0] = e.endpoint()
	c.token, errs[1] = e.token()
	c.headTimeout, errs[2] = e.seconds("HF_HUB_ETAG_TIMEOUT")
	c.bodyTimeout, errs[3] = e.seconds("HF_HUB_DOWNLOAD_TIMEOUT")
	if err := errors.Join(errs[:]...); err != nil {
		return nil, fmt.Errorf("set up the hub: %w", err)
	}
	if c.Cache == "" {
		return nil, errors.New("set up the hub: there is no folder for its cache: set HF_HOME")
	}
	c.http = newTransport()
	return c, nil
}

// transport sends one request and follows no redirect. It is not an http.Client, for that
// one's errors quote addresses, and those of weights are signed.
type transport interface {
	http.RoundTripper
	CloseIdleConnections()
}

func newTransport() *http.Transport {
	return &http.Transport{
		Proxy: func(r *http.Request) (*url.URL, error) {
			u, err := http.ProxyFromEnvironment(r)
			if err != nil { // it quotes the address, which may hold a password
				return nil, errors.New("HTTP_PROXY or HTTPS_PROXY is no address of a proxy")
			}
			return u, nil
		},
		ForceAttemptHTTP2:      true,
		DisableCompression:     true,
		TLSHandshakeTimeout:    10 * time.Second,
		MaxResponseHeaderBytes: 1 << 20,
	}
}

// Pull brings a checkpoint into the cache, all files from one commit: config.json, the
// preprocessing and tokenizer files, and model.safetensors, or pytorch_model.bin where
// there is no other. What is there already is checked against the Hub's hashes and not
// downloaded again; what a cut left is gone on from. A cancelled context ends it, and the
// next Pull goes on. Offline it is what the cache holds, and ErrNotFound without.
func (c *Client) Pull(ctx context.Context, ref Ref) (Snapshot, error) {
	snapshot, err := c.pull(ctx, ref)
	switch {
	case err == nil:
		return snapshot, nil
	case ctx.Err() != nil:
		err = fmt.Errorf("%w; what was downloaded is kept, and the same command goes on from there", ctx.Err())
	default:
		err = c.explain(err)
	}
	return Snapshot{}, fmt.Errorf("pull %s: %w", ref, err)
}

func (c *Client) pull(ctx context.Context, ref Ref) (Snapshot, error) {
	if c.offline {
		return c.cached(ref)
	}
	defer c.http.CloseIdleConnections()
	if c.token != "" && inClear(c.endpoint) {
		c.log().Warn("the hub's token is not sent: HF_ENDPOINT is not https", "host", c.endpoint.Host)
	}
	p := &pull{Client: c, ref: ref, repo: filepath.Join(c.Cache, ref.folder())}
	if commit.MatchString(ref.Revision) {
		p.commit = ref.Revision
	}
	if err := p.look(ctx); err != nil {
		return Snapshot{}, err
	}
	unlock, err := p.lock(ctx, wholeRepo, shared)
	if err != nil {
		return Snapshot{}, err
	}
	defer unlock()
	for _, f := range p.files {
		if err := p.have(ctx, f); err != nil {
			return Snapshot{}, fmt.Errorf("%s: %w", f.name, err)
		}
		p.done += f.size
	}
	return p.snapshot(), p.publish()
}

func (c *Client) log() *slog.Logger {
	if c.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return c.Log
}

// cached is a checkpoint as the cache has it.
func (c *Client) cached(ref Ref) (Snapshot, error) {
	const advice = "HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE is set: unset it to download"
	dir, err := ref.find(c.Cache)
	if errors.Is(err, os.ErrNotExist) {
		err = fmt.Errorf("%w in the cache %s", ErrNotFound, c.Cache)
	}
	if err != nil {
		return Snapshot{}, fmt.Errorf("%w; %s", err, advice)
	}
	s := Snapshot{Ref: ref, Commit: filepath.Base(dir), Dir: dir}
	there := func(name string) bool {
		info, err := os.Stat(filepath.Join(dir, name))
		return err == nil && info.Mode().IsRegular()
	}
	missing, err := choose(func(name string) (bool, error) { return there(name), nil }, func(name string) {
		if heavy(name) {
			s.Weights = name
		}
	})
	if len(missing) > 0 {
		err = fmt.Errorf("%w: %s lacks %s; %s", ErrNotFound, dir, strings.Join(missing, ", "), advice)
	}
	return s, err
}

// pull is one Pull at work.
type pull struct {
	*Client
	ref    Ref
	repo   string // the repository's folder in the cache
	commit string // what all files are of, once the hub has named it
	files  []*file
	done   int64 // bytes of the files that are whole
	got    int64 // bytes that came over the network
}

// advance tells how much of a file there is.
func (p *pull) advance(f *file, at int64) {
	if p.Progress == nil {
		return
	}
	all := Progress{File: f.name, Done: p.done + at}
	for _, f := range p.files {
		all.Total += max(f.size, 0)
	}
	p.Progress(all)
}

func (p *pull) snapshot() Snapshot {
	s := Snapshot{Ref: p.ref, Commit: p.commit, Dir: p.dir(), Downloaded: p.got}
	for _, f := range p.files {
		if heavy(f.name) {
			s.Weights = f.name
		}
	}
	if revision, ok := SafetensorsRevision(p.ref); ok && s.Weights == torch {
		s.Hint = fmt.Sprintf("%s has its weights in a pickle; safetensors may be had with `%s`",
			p.ref, Ref{p.ref.Owner, p.ref.Name, revision}.command())
	}
	return s
}

// dir is the folder of the commit's files.
func (p *pull) dir() string { return filepath.Join(p.repo, "snapshots", p.commit) }
