package weights

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"testing"
)

// safetensors puts a header before data.
func safetensors(header string, data int) []byte {
	out := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(out, header...), make([]byte, data)...)
}

func TestHostileSafetensors(t *testing.T) {
	t.Parallel()
	many := new(strings.Builder)
	many.WriteString("{")
	for i := range 1_000_000 {
		if i > 0 {
			many.WriteString(",")
		}
		fmt.Fprintf(many, `"%d":{}`, i)
	}
	many.WriteString("}")
	length := func(n uint64) []byte { return append(binary.LittleEndian.AppendUint64(nil, n), "{}"...) }
	for name, c := range map[string]struct {
		data    []byte
		message string
	}{
		"length 2^63":      {length(1 << 63), "header of 9223372036854775808 bytes"},
		"length 2^64-1":    {length(math.MaxUint64), "header of 18446744073709551615 bytes"},
		"length too large": {length(3), "truncated"},
		"array":            {safetensors(`[]`, 0), "not a JSON object"},
		"no JSON":          {safetensors(`{"a"`, 0), "EOF"},
		"more JSON":        {safetensors(`{}{}`, 0), "more after"},
		"million tensors":  {safetensors(many.String(), 0), "more than 8192 tensors"},
		"deep":             {safetensors(`{"a":`+strings.Repeat("[", 1<<20), 0), "depth"},
		"deep metadata":    {safetensors(`{"__metadata__":`+strings.Repeat(`{"a":`, 1<<18), 0), "depth"},
		"metadata":         {safetensors(`{"__metadata__":{"a":1}}`, 0), "metadata"},
		"unknown field":    {safetensors(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1}}`, 4), "unknown field"},
		"no offsets":       {safetensors(`{"a":{"dtype":"U8","shape":[0]}}`, 0), "impossible offsets"},
		"twice":            {safetensors(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, 1), "a comes twice"},
		"type":             {safetensors(`{"a":{"dtype":"X","shape":[1],"data_offsets":[0,4]}}`, 4), `unknown type "X"`},
		"length":           {safetensors(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}`, 4), "takes 8 bytes, its offsets give 4"},
		"negative shape":   {safetensors(`{"a":{"dtype":"F32","shape":[-1,-1],"data_offsets":[0,4]}}`, 4), "impossible shape"},
		"overflow":         {safetensors(`{"a":{"dtype":"F32","shape":[4294967296,4294967296,4],"data_offsets":[0,0]}}`, 0), "impossible shape"},
		"overflow by type": {safetensors(`{"a":{"dtype":"F64","shape":[1099511627776,1048576,2],"data_offsets":[0,0]}}`, 0), "impossible shape"},
		"huge number":      {safetensors(`{"a":{"dtype":"F32","shape":[1e30],"data_offsets":[0,4]}}`, 4), "cannot unmarshal"},
		"backwards":        {safetensors(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[4,3]}}`, 4), "impossible offsets"},
		"negative offset":  {safetensors(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[-1,0]}}`, 4), "impossible offsets"},
		"hole":             {safetensors(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}`, 2), "hole or an overlap"},
		"overlap":          {safetensors(`{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}`, 3), "hole or an overlap"},
		"truncated":        {safetensors(`{"a":{"dtype":"U8","shape":[9],"data_offsets":[0,9]}}`, 3), "truncated"},
		"rest":             {safetensors(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, 3), "2 bytes follow"},
		"many dimensions":  {safetensors(`{"a":{"dtype":"U8","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,1]}}`, 1), "9 dimensions"},
	} {
		_, err := Read(c.data)
		if err == nil || !strings.Contains(err.Error(), c.message) {
			t.Errorf("%s: got %v, want %q", name, err, c.message)
		} else if len(err.Error()) > 600 {
			t.Errorf("%s: a message of %d bytes", name, len(err.Error()))
		}
	}
}

// part is an entry of a zip file.
type part struct {
	name, content string
	method        uint16
}

func archived(t *testing.T, parts ...part) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, p := range parts {
		w, err := z.CreateHeader(&zip.FileHeader{Name: p.name, Method: p.method})
		if err == nil {
			_, err = w.Write([]byte(p.content))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// pickled makes {"a": tensor} of float32 in a storage "0".
func pickled(count, offset, shape, stride byte) string {
	return "\x80\x02}X\x01\x00\x00\x00actorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\n" +
		"X\x01\x00\x00\x000X\x03\x00\x00\x00cpuK" + string([]byte{count}) + "tQK" + string([]byte{offset}) + "K" + string([]byte{shape}) +
		"\x85K" + string([]byte{stride}) + "\x85\x89}tRs."
}

func TestHostileArchives(t *testing.T) {
	t.Parallel()
	store := func(name, content string) part { return part{name, content, zip.Store} }
	good := pickled(2, 0, 2, 1)
	data := store("a/data/0", "12345678")
	for name, c := range map[string]struct {
		parts   []part
		message string // "" where the file is good
	}{
		"good":             {[]part{store("a/data.pkl", good), data, store("a/byteorder", "little")}, ""},
		"big endian":       {[]part{store("a/data.pkl", good), data, store("a/byteorder", "big")}, `byte order "big"`},
		"bomb":             {[]part{{"a/data.pkl", strings.Repeat("\x00", 1<<20), zip.Deflate}}, "compressed"},
		"large pickle":     {[]part{store("a/data.pkl", strings.Repeat("N", maxPickle+1))}, "more than 1048576"},
		"no pickle":        {[]part{store("a/x", "")}, "no data.pkl"},
		"script":           {[]part{store("a/data.pkl", good), store("a/constants.pkl", "")}, "TorchScript"},
		"twice":            {[]part{store("a/data.pkl", good), data, data}, "comes twice"},
		"two folders":      {[]part{store("a/data.pkl", good), store("b/data.pkl", good)}, "comes twice"},
		"parent":           {[]part{store("a/../data.pkl", good)}, "torch does not write"},
		"absolute parent":  {[]part{store("../../data.pkl", good)}, "torch does not write"},
		"backslash":        {[]part{store(`a/b\c`, good)}, "torch does not write"},
		"no folder":        {[]part{store("data.pkl", good)}, "torch does not write"},
		"no storage":       {[]part{store("a/data.pkl", good)}, "data/0"},
		"short storage":    {[]part{store("a/data.pkl", good), store("a/data/0", "123")}, "3 bytes where 2 elements"},
		"beyond":           {[]part{store("a/data.pkl", pickled(2, 0, 3, 1)), data}, "leaves its storage"},
		"offset beyond":    {[]part{store("a/data.pkl", pickled(2, 2, 1, 1)), data}, "begins at element 2"},
		"offset in a view": {[]part{store("a/data.pkl", pickled(2, 1, 2, 1)), data}, "leaves its storage"},
		"repeated":         {[]part{store("a/data.pkl", pickled(2, 0, 255, 0)), data}, "expanded view"},
	} {
		_, err := Read(archived(t, c.parts...))
		if c.message == "" && err != nil || c.message != "" && (err == nil || !strings.Contains(err.Error(), c.message)) {
			t.Errorf("%s: got %v, want %q", name, err, c.message)
		}
	}
}

func TestManyEntries(t *testing.T) {
	t.Parallel()
	parts := make([]part, maxTensors+1)
	for i := range parts {
		parts[i] = part{name: fmt.Sprintf("a/data/%d", i)}
	}
	_, err := Read(archived(t, parts...))
	if err == nil || !strings.Contains(err.Error(), "8193 entries") {
		t.Errorf("got %v", err)
	}
	for i := range parts {
		parts[i].name = fmt.Sprintf("a/%0600d", i)
	}
	_, err = Read(archived(t, parts...))
	if err == nil || !strings.Contains(err.Error(), "zip directory is larger") {
		t.Errorf("got %v", err)
	}
}

func TestHostilePickles(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ pickle, message string }{
		"empty":           {"", "truncated"},
		"no stop":         {"\x80\x02}", "truncated"},
		"after the stop":  {"}.}", "more after"},
		"empty stack":     {".", "malformed"},
		"no mark":         {"t.", "malformed"},
		"odd items":       {"}(Nu.", "malformed"},
		"long string":     {"X\xff\xff\xff\xffab.", "beyond the pickle's end"},
		"long string 8":   {"\x8d\xff\xff\xff\xff\xff\xff\xff\x7fab.", "instruction 0x8d"},
		"long integer":    {"\x8a\xff" + strings.Repeat("\xff", 255) + ".", "an integer of 255 bytes"},
		"empty integer":   {"\x8a\x00.", "an integer of 0 bytes"},
		"marks":           {strings.Repeat("(", 1<<16) + ".", "nested too deeply"},
		"no line":         {"cos", "truncated"},
		"unknown memo":    {"h\x07.", "no dictionary"},
		"number":          {"K\x07.", "no dictionary"},
		"number in dict":  {"}K\x07K\x08s.", "not a tensor"},
		"class as tensor": {"}X\x01\x00\x00\x00actorch\nFloatStorage\ns.", "not a tensor"},
		"bad storage":     {"K\x01Q.", "not a storage"},
		"empty call":      {"ctorch._utils\n_rebuild_tensor_v2\n)R.", "a tensor of 0 parts"},
		"odd parameter":   {"ctorch._utils\n_rebuild_parameter\n(K\x01K\x01K\x01tR.", "without a tensor"},
		"frame":           {"\x95\xff\xff\xff\xff\xff\xff\xff\x7f}.", "not of protocol 2"},
		"extension":       {"\x82\x01.", "extension code"},
		"submodule":       {"ctorch\nload\n.", `"torch.load"`},
		"bomb of tuples":  {"N" + strings.Repeat("q\x00h\x00\x86", 64) + "R.", "malformed"},
	} {
		_, err := unpickle([]byte(c.pickle))
		if err == nil || !strings.Contains(err.Error(), c.message) {
			t.Errorf("%s: got %v, want %q", name, err, c.message)
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, name := range []string{"good.safetensors", "good.bin", "parameter.bin", "expanded.bin", "unsafe/system-2.bin"} {
		f.Add(file(f, name))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := Read(data)
		if err != nil {
			return
		}
		for name, tensor := range got.Tensors {
			length, err := extent(tensor.DType, tensor.Shape)
			if err != nil || length != tensor.Length || int64(len(tensor.Data)) != length {
				t.Errorf("%q: %v, length %d of %d bytes, %v", name, tensor.Shape, tensor.Length, len(tensor.Data), err)
			}
		}
	})
}

func FuzzUnpickle(f *testing.F) {
	f.Add([]byte(pickled(2, 0, 2, 1)))
	f.Add([]byte("\x80\x02ccollections\nOrderedDict\nq\x00)Rq\x01."))
	f.Fuzz(func(t *testing.T, data []byte) {
		views, err := unpickle(data)
		if err != nil {
			return
		}
		for name, v := range views {
			if len(v.shape) != len(v.strides) || v.storage.dtype.Size() == 0 {
				t.Errorf("%q: %+v", name, v)
			}
		}
	})
}
