package magic

import (
	"bytes"
	"strings"
	"testing"
)

// packets are the sync bytes of a transport stream that begins within a packet.
func packets(size, first int) string {
	b := bytes.Repeat([]byte{0xff}, HeadSize)
	for i := first; i < len(b); i += size {
		b[i] = 0x47
	}
	return string(b)
}

func TestSniff(t *testing.T) {
	t.Parallel()
	pad := strings.Repeat("\x00", 64)
	for name, c := range map[string]struct {
		head string
		want Kind
	}{
		"mp4":              {"\x00\x00\x00\x20ftypisom" + pad, Video},
		"quicktime moov":   {"\x00\x00\x10\x00moov" + pad, Video},
		"quicktime mdat":   {"\x00\x00\x00\x00mdat" + pad, Video},
		"64-bit mdat":      {"\x00\x00\x00\x01mdat" + pad, Video},
		"fragment":         {"\x00\x00\x00\x18styp" + pad, Video},
		"wide":             {"\x00\x00\x00\x08wide" + pad, Video},
		"atom too small":   {"\x00\x00\x00\x03moov" + pad, ""},
		"ftyp too large":   {"\x7f\x00\x00\x03ftyp" + pad, ""},
		"matroska":         {"\x1a\x45\xdf\xa3" + pad, Video},
		"avi":              {"RIFF\x00\x00\x00\x00AVI LIST" + pad, Video},
		"wave":             {"RIFF\x00\x00\x00\x00WAVEfmt " + pad, ""},
		"flv":              {"FLV\x01\x05" + pad, Video},
		"ogg":              {"OggS\x00" + pad, Video},
		"asf":              {"\x30\x26\xb2\x75\x8e\x66\xcf\x11" + pad, Video},
		"program stream":   {"\x00\x00\x01\xba" + pad, Video},
		"transport stream": {packets(188, 0), Video},
		"m2ts":             {packets(192, 4), Video},
		"204 bytes":        {packets(204, 0), Video},
		"begun within":     {packets(188, 100), Video},
		"one sync byte":    {"\x47\xff\xff", ""},
		"gif":              {"GIF89a" + pad, GIF},
		"jpeg":             {"\xff\xd8\xff\xe0" + pad, Picture},
		"png":              {"\x89PNG\r\n\x1a\n" + pad, Picture},
		"webp":             {"RIFF\x00\x00\x00\x00WEBP" + pad, Picture},
		"bmp":              {"BM\x00\x10\x00\x00\x00\x00\x00\x00" + pad, Picture},
		"hls":              {"#EXTM3U\n", ""},
		"utf-8":            {strings.Repeat("é", HeadSize/2-1) + "x\xc3", ""},
		"elf":              {"\x7fELF" + pad, ""},
		"pdf":              {"%PDF-1.7\n%\xe2\xe3\xcf\xd3" + pad, ""},
		"zip":              {"PK\x03\x04" + pad, ""},
		"empty":            {"", ""},
	} {
		got, err := Sniff([]byte(c.head))
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if _, err := Sniff([]byte(strings.Repeat("é", 100) + "\xc3")); err == nil || !strings.Contains(err.Error(), "this is text") {
		t.Errorf("text cut within a character: %v", err)
	}
}

func FuzzSniff(f *testing.F) {
	f.Add([]byte("#EXTM3U"))
	f.Add([]byte(packets(188, 7)))
	f.Add([]byte("\x00\x00\x00\x20ftypisom"))
	f.Fuzz(func(t *testing.T, b []byte) {
		kind, err := Sniff(b)
		if (kind == "") != (err != nil) {
			t.Errorf("%q: %q, %v", b, kind, err)
		}
		if err == nil && isText(b) {
			t.Errorf("%q is text and was taken for a %s", b, kind)
		}
	})
}
