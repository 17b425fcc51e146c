package weights

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
)

// entry is one tensor of a safetensors header
// (https://huggingface.co/docs/safetensors, "Format").
type entry struct {
	DType   DType    `json:"dtype"`
	Shape   []int64  `json:"shape"`
	Offsets [2]int64 `json:"data_offsets"`
}

// readSafetensors reads a header: its length as 8 bytes, JSON, and the tensors' data
// without holes or overlaps up to the end of the file.
func readSafetensors(r io.ReaderAt, size int64) (map[string]Tensor, error) {
	header, err := readHeader(r, size)
	if err != nil {
		return nil, err
	}
	entries, err := parseHeader(header)
	if err != nil {
		return nil, fmt.Errorf("read safetensors header: %w", err)
	}
	start := 8 + int64(len(header))
	if err := checkLayout(entries, size-start); err != nil {
		return nil, err
	}
	return place(entries, start)
}

func readHeader(r io.ReaderAt, size int64) ([]byte, error) {
	if size < 10 {
		return nil, fmt.Errorf("%d bytes are neither a safetensors nor a torch file: download or copy it again", size)
	}
	var word [8]byte
	if _, err := r.ReadAt(word[:], 0); err != nil {
		return nil, err
	}
	length := binary.LittleEndian.Uint64(word[:])
	switch {
	case length > maxHeader:
		return nil, fmt.Errorf("neither a safetensors nor a torch zip file (its first 8 bytes would mean a header of %d bytes, more than %d): download or copy it again", length, maxHeader)
	case int64(length) > size-8:
		return nil, fmt.Errorf("truncated: the header takes %d bytes and the file has %d: download or copy it again", length, size)
	}
	header := make([]byte, length)
	if _, err := r.ReadAt(header, 8); err != nil {
		return nil, err
	}
	return header, nil
}

// parseHeader reads the entries one by one, because a Go map would hide a name that comes
// twice.
func parseHeader(header []byte) (map[string]entry, error) {
	if !bytes.HasPrefix(header, []byte("{")) {
		return nil, errors.New("it is not a JSON object")
	}
	d := json.NewDecoder(bytes.NewReader(header))
	d.DisallowUnknownFields()
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	entries, seen := map[string]entry{}, map[string]bool{}
	for d.More() {
		name, err := key(d)
		if err != nil {
			return nil, err
		}
		if seen[name] {
			return nil, fmt.Errorf("tensor %s comes twice", clip(name))
		}
		seen[name] = true
		if err := value(d, name, entries); err != nil {
			return nil, err
		}
	}
	return entries, end(d)
}

func key(d *json.Decoder) (string, error) {
	token, err := d.Token()
	if err != nil {
		return "", err
	}
	name, _ := token.(string) // the decoder lets nothing else be a key
	return name, nil
}

func value(d *json.Decoder, name string, entries map[string]entry) error {
	if name == "__metadata__" {
		var ignored map[string]string
		if err := d.Decode(&ignored); err != nil {
			return fmt.Errorf("metadata: %w", err)
		}
		return nil
	}
	if len(entries) == maxTensors {
		return fmt.Errorf("more than %d tensors", maxTensors)
	}
	e := entry{Offsets: [2]int64{-1, -1}}
	if err := d.Decode(&e); err != nil {
		return fmt.Errorf("tensor %s: %w", clip(name), err)
	}
	entries[name] = e
	return nil
}

// end checks that nothing but white space follows the object.
func end(d *json.Decoder) error {
	if _, err := d.Token(); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("there is more after the JSON object")
	}
	return nil
}

// checkLayout checks that the tensors fill the data exactly.
func checkLayout(entries map[string]entry, size int64) error {
	names := slices.SortedFunc(maps.Keys(entries), func(a, b string) int {
		x, y := entries[a].Offsets, entries[b].Offsets
		return cmp.Or(cmp.Compare(x[0], y[0]), cmp.Compare(x[1], y[1]), cmp.Compare(a, b))
	})
	at := int64(0)
	for _, name := range names {
		e := entries[name]
		if err := e.check(); err != nil {
			return fmt.Errorf("tensor %s: %w", clip(name), err)
		}
		if e.Offsets[0] != at {
			return fmt.Errorf("tensor %s begins at byte %d of the data where %d is due: a hole or an overlap, the file is damaged", clip(name), e.Offsets[0], at)
		}
		at = e.Offsets[1]
	}
	switch {
	case at > size:
		return fmt.Errorf("truncated: the tensors take %d bytes and the file has %d of them: download or copy it again", at, size)
	case at < size:
		return fmt.Errorf("%d bytes follow the last tensor: the file is damaged, download or copy it again", size-at)
	}
	return nil
}

func (e entry) check() error {
	length, err := extent(e.DType, e.Shape)
	if err != nil {
		return err
	}
	begin, end := e.Offsets[0], e.Offsets[1]
	if begin < 0 || end < begin {
		return fmt.Errorf("impossible offsets [%d, %d]", begin, end)
	}
	if end-begin != length {
		return fmt.Errorf("%s %v takes %d bytes, its offsets give %d", e.DType, e.Shape, length, end-begin)
	}
	return nil
}

func place(entries map[string]entry, start int64) (map[string]Tensor, error) {
	tensors := make(map[string]Tensor, len(entries))
	for name, e := range entries {
		tensors[name] = Tensor{
			Name: name, DType: e.DType, Shape: slices.Clone(e.Shape),
			Offset: start + e.Offsets[0], Length: e.Offsets[1] - e.Offsets[0],
		}
	}
	return tensors, nil
}
