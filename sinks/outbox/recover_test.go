package outbox

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/captiond/captiond/sinks"
)

// The check value of CRC-32C in RFC 3720, B.4 and the catalogue of parametrised CRCs.
func TestChecksum(t *testing.T) {
	t.Parallel()
	if got := checksum([]byte("1234"), []byte("56789")); got != 0xe3069283 {
		t.Errorf("%08x", got)
	}
}

// segmentOf is the bytes of a segment with n captions, and where each ends.
func segmentOf(t testing.TB, n int) (data []byte, ends []int) {
	for i := range n {
		event, err := sinks.Encode(caption("s", i))
		if err != nil {
			t.Fatal(err)
		}
		data = appendRecord(data, time.Now(), event)
		ends = append(ends, len(data))
	}
	return data, ends
}

const firstSegment = "000000000001" + suffix

func writeSegment(t testing.TB, dir string, data []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, firstSegment), data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// recovered is what is delivered of a segment's bytes, and what was counted.
func recovered(t testing.TB, dir string, data []byte) ([]sinks.Event, Stats) {
	t.Helper()
	writeSegment(t, dir, data)
	box, err := Open(Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	b := new(broker)
	for {
		if ok, err := box.round(t.Context(), b); err != nil {
			t.Fatal(err)
		} else if !ok {
			break
		}
	}
	stats := box.Stats()
	if err := box.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(dir, headFile)); err != nil {
		t.Fatal(err)
	}
	return b.events, stats
}

func TestTornAnywhere(t *testing.T) {
	t.Parallel()
	data, ends := segmentOf(t, 3)
	dir := t.TempDir()
	for n := range data {
		got, stats := recovered(t, dir, data[:n])
		checkNumbers(t, got, []int64{0, 1, 2}[:whole(ends, n)])
		if stats.Corrupt != 0 || stats.Waiting != 0 {
			t.Fatalf("cut after %d bytes: %+v", n, stats)
		}
	}
}

// whole is how many records end within n bytes.
func whole(ends []int, n int) int {
	i, _ := slices.BinarySearch(ends, n+1)
	return i
}

// A byte that is wrong costs the record that it is in, and no other.
func TestFlippedAnywhere(t *testing.T) {
	t.Parallel()
	data, ends := segmentOf(t, 3)
	dir := t.TempDir()
	for n := range data {
		bad := slices.Clone(data)
		bad[n] ^= 1 << (n % 8)
		got, stats := recovered(t, dir, bad)
		hit := whole(ends, n)
		checkNumbers(t, got, slices.Delete([]int64{0, 1, 2}, hit, hit+1))
		// A last record that seems to go on beyond the file was torn, as far as one can tell.
		if stats.Corrupt != 1 && (hit != 2 || stats.Corrupt != 0) {
			t.Fatalf("byte %d flipped: %+v", n, stats)
		}
	}
}

// Every bit, without the files.
func TestFlippedBits(t *testing.T) {
	t.Parallel()
	data, ends := segmentOf(t, 3)
	for n := range 8 * len(data) {
		bad := slices.Clone(data)
		bad[n/8] ^= 1 << (n % 8)
		var got []sinks.Event
		for _, rec := range walk(t, bad) {
			e, err := sinks.Decode(rec.event)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, e)
		}
		hit := whole(ends, n/8)
		checkNumbers(t, got, slices.Delete([]int64{0, 1, 2}, hit, hit+1))
	}
}

// walk reads all records of a segment's bytes, and sees that each stands there as it would be
// written.
func walk(t testing.TB, data []byte) (records []record) {
	t.Helper()
	at, r := int64(0), bytes.NewReader(data)
	for {
		rec, skipped, err := nextRecord(r, at, r.Size())
		at += skipped
		if err != nil {
			if at != r.Size() {
				t.Fatalf("read to %d of %d: %v", at, r.Size(), err)
			}
			return records
		}
		if !bytes.HasPrefix(data[at:], appendRecord(nil, rec.accepted, rec.event)) {
			t.Fatalf("no such record at %d: %+v", at, rec)
		}
		records = append(records, rec)
		at += rec.size
	}
}

// checkNumbers sees that what was delivered is what was accepted under these numbers.
func checkNumbers(t testing.TB, events []sinks.Event, want []int64) {
	t.Helper()
	checkKnown(t, events)
	var got []int64
	for _, e := range events {
		got = append(got, e.Head().Seq)
	}
	if !slices.Equal(got, want) {
		t.Fatalf("delivered %v, want %v", got, want)
	}
}

// checkKnown sees that what was delivered is what someone published.
func checkKnown(t testing.TB, events []sinks.Event) {
	t.Helper()
	for _, e := range events {
		if want, err := sinks.Encode(caption("s", int(e.Head().Seq))); err != nil {
			t.Fatal(err)
		} else if got, err := sinks.Encode(e); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("an event that nobody published: %s, %v", got, err)
		}
	}
}

// Damage that is larger than what is searched at once is passed over too.
func TestLargeHole(t *testing.T) {
	t.Parallel()
	data, ends := segmentOf(t, 2)
	hole := bytes.Repeat([]byte{0, 0, 0, 9, 0xff}, 40_000)
	got, stats := recovered(t, t.TempDir(), slices.Concat(data[:ends[0]], hole, data[ends[0]:]))
	checkNumbers(t, got, []int64{0, 1})
	if stats.Corrupt != 1 {
		t.Errorf("%+v", stats)
	}
}

// Damage is counted where it is found: once, whether before or after the start.
func TestDamageOfARunningOutbox(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	box := open(t, Options{Dir: dir})
	put(t, box, caption("s", 0), caption("s", 1), caption("s", 2))
	_, ends := segmentOf(t, 3)
	f, err := os.OpenFile(filepath.Join(dir, firstSegment), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("##"), int64(ends[0]+20)); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	b := new(broker)
	drain(t, box, b, 2)
	checkNumbers(t, b.events, []int64{0, 2})
	if s := box.Stats(); s.Corrupt != 1 {
		t.Errorf("%+v", s)
	}
	shut(t, box)
}

// A segment that someone deleted is not waited for.
func TestSegmentGone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	box := open(t, Options{Dir: dir, Segment: 1})
	put(t, box, caption("s", 0), caption("s", 1))
	if err := os.Remove(filepath.Join(dir, firstSegment)); err != nil {
		t.Fatal(err)
	}
	b := new(broker)
	drain(t, box, b, 1)
	checkNumbers(t, b.events, []int64{1})
	shut(t, box)
}

// A head that is damaged costs deliveries that are repeated, and no event.
func TestHeadFlippedAnywhere(t *testing.T) {
	t.Parallel()
	want := head{position: position{Segment: 3, Offset: 400}, Losses: []*loss{{Source: "s", Epoch: 7, Events: 2}}}
	dir := t.TempDir()
	if err := want.write(dir); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(dir, headFile))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := parseHead(string(data)); err != nil || got.position != want.position || *got.Losses[0] != *want.Losses[0] {
		t.Errorf("%+v, %v", got, err)
	}
	for n := range data {
		bad := slices.Clone(data)
		bad[n] ^= 4
		if _, err := parseHead(string(bad)); !errors.Is(err, errCorrupt) {
			t.Errorf("byte %d flipped: %v", n, err)
		}
	}
}

// The short way to an id and the long one lead to the same.
func TestIDIn(t *testing.T) {
	t.Parallel()
	sealed, err := sinks.Encode(caption("s", 1))
	if err != nil {
		t.Fatal(err)
	}
	for _, event := range []string{
		string(sealed), `{"source":"s","id":"00112233445566778899aabbccddeeff"}`, `no event`, ``, `{"schema":"captiond.cut.v1","id":"short"}`,
		`{"schema":"captiond.cut.v1","text":"\",\"id\":\"00112233445566778899aabbccddeeff\""}`,
		`{"schema":"captiond.cut.v1","x":{"y":"","id":"00112233445566778899aabbccddeeff"}}`,
	} {
		got, err := idIn([]byte(event))
		want, wrong := idOf(headOf([]byte(event)))
		if got != want || (err == nil) != (wrong == nil) {
			t.Errorf("%s: %x, %v; want %x, %v", event, got, err, want, wrong)
		}
	}
}

func FuzzRecover(f *testing.F) {
	data, ends := segmentOf(f, 2)
	f.Add(data)
	f.Add(data[:ends[0]+5])
	f.Add(append(slices.Clone(data[:ends[0]]), 0, 0, 0, 9, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0, '{'))
	f.Fuzz(func(t *testing.T, b []byte) {
		dir := t.TempDir()
		got, _ := recovered(t, dir, b)
		// What was recovered once is recovered again, behind whatever there is.
		again, _ := recovered(t, dir, slices.Concat(b, data))
		if len(again) < len(got) {
			t.Errorf("%d events, and %d with two more behind them", len(got), len(again))
		}
	})
}

func FuzzRecords(f *testing.F) {
	data, ends := segmentOf(f, 3)
	f.Add(data)
	f.Add(data[5:])
	f.Add(slices.Concat(data[:ends[0]+9], data[ends[0]:]))
	f.Add(bytes.Repeat([]byte{0, 0, 0, 20}, 30))
	f.Fuzz(func(t *testing.T, b []byte) {
		if found, behind := walk(t, b), walk(t, slices.Concat(b, data)); len(behind) < len(found)+3 {
			t.Errorf("%d records, and %d with three more behind them", len(found), len(behind))
		}
	})
}
