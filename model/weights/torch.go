package weights

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
)

// maxDirectory bounds what archive/zip may read: the directory, data.pkl and the local
// headers of an archive of maxTensors entries with short names.
const maxDirectory = 4 << 20

// budget is a reader that gives out no more than left bytes.
type budget struct {
	io.ReaderAt
	left int64
}

func (b *budget) ReadAt(p []byte, at int64) (int, error) {
	b.left -= int64(len(p))
	if b.left < 0 {
		return 0, fmt.Errorf("the zip directory is larger than %d bytes: refused", maxDirectory)
	}
	return b.ReaderAt.ReadAt(p, at)
}

// archive is a file as torch.save writes it since 1.6: a zip whose entries are stored,
// not compressed, under one folder.
type archive struct {
	io.ReaderAt
	size    int64
	entries map[string]*zip.File // by the name within the folder
	copied  int64                // bytes of views that were copied
}

func readTorch(r io.ReaderAt, size int64) (map[string]Tensor, error) {
	a, err := openArchive(r, size)
	if err != nil {
		return nil, fmt.Errorf("read torch file: %w", err)
	}
	pickled, err := a.content("data.pkl", maxPickle)
	if err != nil {
		return nil, fmt.Errorf("read torch file: %w", err)
	}
	views, err := unpickle(pickled)
	if err != nil {
		return nil, fmt.Errorf("read torch file: data.pkl: %w", err)
	}
	tensors := make(map[string]Tensor, len(views))
	for name, v := range views {
		t, err := a.tensor(v)
		if err != nil {
			return nil, fmt.Errorf("read torch file: tensor %s: %w", clip(name), err)
		}
		t.Name = name
		tensors[name] = t
	}
	return tensors, nil
}

func openArchive(r io.ReaderAt, size int64) (*archive, error) {
	z, err := zip.NewReader(&budget{r, maxDirectory}, size)
	if errors.Is(err, zip.ErrFormat) {
		return nil, errors.New("the zip directory is missing or damaged: the file is probably truncated, download or copy it again")
	}
	if err != nil {
		return nil, err
	}
	if len(z.File) > maxTensors {
		return nil, fmt.Errorf("%d entries, more than %d", len(z.File), maxTensors)
	}
	a := &archive{ReaderAt: r, size: size, entries: make(map[string]*zip.File, len(z.File))}
	for _, f := range z.File {
		if err := a.add(f); err != nil {
			return nil, err
		}
	}
	return a, a.check()
}

// add takes an entry in. One folder for all, no name twice, nothing packed: torch writes
// nothing else, and what is not packed cannot grow.
func (a *archive) add(f *zip.File) error {
	_, name, ok := strings.Cut(f.Name, "/")
	switch {
	case !ok || strings.Contains(f.Name, "..") || strings.ContainsAny(f.Name, "\\\x00"):
		return fmt.Errorf("zip entry %q has a name that torch does not write", clip(f.Name))
	case f.Method != zip.Store || f.CompressedSize64 != f.UncompressedSize64 || f.Flags&1 != 0:
		return fmt.Errorf("zip entry %q is compressed or encrypted; torch stores its entries plainly: save the file again with torch.save, or %s", clip(f.Name), hint)
	case a.entries[name] != nil:
		return fmt.Errorf("zip entry %q comes twice", clip(name))
	}
	a.entries[name] = f
	return nil
}

// check refuses what is a zip of torch's but no state dictionary of this machine's order.
func (a *archive) check() error {
	if a.entries["constants.pkl"] != nil {
		return fmt.Errorf("the file is a TorchScript program, not a checkpoint; %s", hint)
	}
	if a.entries["data.pkl"] == nil {
		return fmt.Errorf("the zip file has no data.pkl, so it is no torch checkpoint; %s", hint)
	}
	if a.entries["byteorder"] == nil {
		return nil
	}
	order, err := a.content("byteorder", 64)
	if err == nil && strings.TrimSpace(string(order)) != "little" {
		err = fmt.Errorf("the file has byte order %q; only little is supported: save it again on a little-endian machine, or %s", clip(string(order)), hint)
	}
	return err
}

// content reads a whole small entry.
func (a *archive) content(name string, most int64) ([]byte, error) {
	at, size, err := a.find(name)
	if err != nil {
		return nil, err
	}
	if size > most {
		return nil, fmt.Errorf("%s has %d bytes, more than %d: refused", name, size, most)
	}
	data := make([]byte, size)
	_, err = io.ReadFull(io.NewSectionReader(a, at, size), data)
	return data, err
}

// find returns where an entry's bytes lie.
func (a *archive) find(name string) (at, size int64, err error) {
	f := a.entries[name]
	if f == nil {
		return 0, 0, fmt.Errorf("zip entry %q is missing", clip(name))
	}
	at, err = f.DataOffset()
	if err != nil {
		return 0, 0, fmt.Errorf("zip entry %q: %w", clip(name), err)
	}
	if at < 0 || at > a.size || f.UncompressedSize64 > math.MaxInt64 || int64(f.UncompressedSize64) > a.size-at {
		return 0, 0, fmt.Errorf("zip entry %q reaches beyond the file's end: the file is truncated or damaged", clip(name))
	}
	return at, int64(f.UncompressedSize64), nil
}

// tensor points a view into the file, or copies it where its elements do not lie in
// order.
func (a *archive) tensor(v view) (Tensor, error) {
	at, size, err := a.find("data/" + v.storage.key)
	if err != nil {
		return Tensor{}, err
	}
	width := v.storage.dtype.Size()
	if size != v.storage.count*width {
		return Tensor{}, fmt.Errorf("its storage %s has %d bytes where %d elements of %s are due", clip(v.storage.key), size, v.storage.count, v.storage.dtype)
	}
	if err := v.check(); err != nil {
		return Tensor{}, err
	}
	length, err := extent(v.storage.dtype, v.shape)
	if err != nil {
		return Tensor{}, err
	}
	t := Tensor{DType: v.storage.dtype, Shape: v.shape, Offset: at + v.offset*width, Length: length}
	if !v.contiguous() {
		t.Data, err = a.copy(v, at)
		t.Offset = 0
	}
	return t, err
}
