package hub

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// The weights' files in order of preference.
const (
	safetensors = "model.safetensors"
	torch       = "pytorch_model.bin"
)

// want is a part of a checkpoint: the files that can hold it, in order of preference.
type want struct {
	names  []string
	all    bool // every one of them, not the first alone
	needed bool
}

func wants() []want {
	return []want{
		{names: []string{"config.json"}, needed: true},
		{names: []string{"preprocessor_config.json", "processor_config.json"}, needed: true},
		{names: []string{"tokenizer.json", "vocab.txt"}, all: true, needed: true},
		{names: []string{"generation_config.json", "tokenizer_config.json", "special_tokens_map.json"}, all: true},
		{names: []string{safetensors, torch}, needed: true},
	}
}

// choose takes the files of a checkpoint among those that are there, and returns the parts
// that are missing.
func choose(there func(string) (bool, error), take func(string)) (missing []string, err error) {
	for _, w := range wants() {
		found := false
		for _, name := range w.names {
			if found && !w.all {
				break
			}
			ok, err := there(name)
			if err != nil {
				return nil, err
			}
			if ok {
				take(name)
				found = true
			}
		}
		if w.needed && !found {
			missing = append(missing, strings.Join(w.names, " or "))
		}
	}
	return missing, nil
}

func heavy(name string) bool { return name == safetensors || name == torch }

// limit is the most bytes that a file may have: as much as its reader takes, and of
// weights more than twice what the largest GIT has. What the hub states is believed no
// further.
func limit(name string) int64 {
	switch {
	case heavy(name):
		return 48 << 30
	case strings.HasPrefix(name, "tokenizer"), name == "vocab.txt", name == "special_tokens_map.json":
		return 64 << 20
	}
	return 1 << 20
}

// file is a file of the repository as the hub describes it.
type file struct {
	name      string
	etag      string // names the blob
	size      int64  // bytes; -1 until a download tells
	validator string // for If-Range at the endpoint's own host, or ""
}

// look finds out which files there are, and of which commit.
func (p *pull) look(ctx context.Context) error {
	there := func(name string) (bool, error) {
		f, err := p.head(ctx, name)
		if errors.Is(err, errAbsent) {
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("%s: %w", name, err)
		}
		p.files = append(p.files, f)
		return true, nil
	}
	missing, err := choose(there, func(string) {})
	if err == nil && len(missing) > 0 {
		err = fmt.Errorf("%w: a checkpoint of GIT has more files: it lacks %s: check the name and the revision; weights in several parts are not read",
			ErrNotFound, strings.Join(missing, ", "))
	}
	return err
}

// head asks for one file's description.
func (p *pull) head(ctx context.Context, name string) (f *file, err error) {
	err = p.insist(ctx, name, func(ctx context.Context) (bool, error) {
		f, err = p.describe(ctx, name)
		return false, err
	})
	return f, err
}

// describe asks once. The description is spread over the answers of the endpoint's own
// host; where that leads to another, the content lies there, and is not asked for yet.
func (p *pull) describe(ctx context.Context, name string) (*file, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, p.headTimeout, fmt.Errorf("no answer came for %v (HF_HUB_ETAG_TIMEOUT)", p.headTimeout))
	defer cancel()
	said := http.Header{}
	last, err := p.travel(ctx, trip{method: http.MethodHead, url: p.address(name), home: true, see: func(r *http.Response) {
		for _, key := range []string{"X-Repo-Commit", "X-Linked-Etag", "X-Linked-Size", "Etag"} {
			if value := r.Header.Get(key); value != "" {
				said.Set(key, value)
			}
		}
	}})
	if err != nil {
		return nil, err
	}
	defer last.Body.Close()
	if err := p.pin(said.Get("X-Repo-Commit"), last.StatusCode); err != nil {
		return nil, err
	}
	if last.StatusCode >= 400 {
		return nil, p.refusal(last)
	}
	return readFile(name, said, last)
}

// pin holds the pull to the commit of its first answer.
func (p *pull) pin(id string, status int) error {
	if p.commit == "" && commit.MatchString(id) {
		p.commit = id
	}
	switch {
	case status >= 400 || id == p.commit && id != "":
		return nil
	case !commit.MatchString(id):
		return fmt.Errorf("%s names no commit but %.60q: it is not a hub, or it leads to one elsewhere: set HF_ENDPOINT to the hub's own address", p.endpoint.Host, id)
	}
	return fmt.Errorf("%s answers with the commit %s in place of %s: try again; if it stays so, the hub is at fault", p.endpoint.Host, id, p.commit)
}

// address is where a file is asked for: by commit as soon as that is known.
func (p *pull) address(name string) *url.URL {
	at := p.commit
	if at == "" {
		at = p.ref.Revision
	}
	u := *p.endpoint
	u.Path = p.endpoint.Path + "/" + p.ref.Repo() + "/resolve/" + at + "/" + name
	u.RawPath = p.endpoint.EscapedPath() + "/" + p.ref.Repo() + "/resolve/" + url.PathEscape(at) + "/" + name
	return &u
}

// blobName is what an etag looks like that may name a file.
var blobName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$`)

// readFile makes a description of what the hub's headers say.
func readFile(name string, said http.Header, last *http.Response) (*file, error) {
	own := said.Get("Etag")
	f := &file{name: name, size: -1, etag: unquote(own)}
	if linked := said.Get("X-Linked-Etag"); linked != "" {
		f.etag = unquote(linked)
	}
	if !blobName.MatchString(f.etag) {
		return nil, fmt.Errorf("the hub names the content %.60q, which is no hash: set HF_ENDPOINT to a hub that can be trusted", f.etag)
	}
	if last.StatusCode == http.StatusOK {
		f.size = last.ContentLength
		f.validator = strong(own)
	}
	if linked := said.Get("X-Linked-Size"); linked != "" {
		n, err := strconv.ParseInt(linked, 10, 64)
		if err != nil || n < 0 {
			return nil, fmt.Errorf("the hub states a size of %.60q", linked)
		}
		f.size = n
	}
	return f, f.bounded()
}

// bounded refuses a size that no such file has.
func (f *file) bounded() error {
	if most := limit(f.name); f.size > most {
		return fmt.Errorf("the hub states %d bytes, and such a file has %d at most: it is not the checkpoint's", f.size, most)
	}
	return nil
}

// strong is an entity tag that If-Range may carry, "" for others.
func strong(etag string) string {
	if len(etag) > 2 && strings.HasPrefix(etag, `"`) && strings.HasSuffix(etag, `"`) {
		return etag
	}
	return ""
}

func unquote(etag string) string { return strings.Trim(strings.TrimPrefix(etag, "W/"), `"`) }
