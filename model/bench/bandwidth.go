package bench

import (
	"fmt"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A memory is read to learn how fast that goes: as many bytes as a token of text needs,
// again and again, so that what stays in a cache for the model stays there for it too. It has
// large pages where the system has any, as the model's memory has.
type memory struct {
	pages []byte
	parts [][]uint64
}

// line is the words of a cache line: memory is fetched by lines, whatever is asked of them.
const line = 8

// newMemory is of some bytes, rounded to whole lines, read by some threads at once, at least
// one. Free it with close.
func newMemory(bytes float64, threads int) (*memory, error) {
	each := max(1, int(bytes)/8/threads/(4*line)) * 4 * line
	pages, err := unix.Mmap(-1, 0, 8*each*threads, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return nil, fmt.Errorf("take memory to read: %w", err)
	}
	_ = unix.Madvise(pages, unix.MADV_HUGEPAGE) // fails where the system has no large pages
	m := &memory{pages: pages}
	words := unsafe.Slice((*uint64)(unsafe.Pointer(unsafe.SliceData(pages))), each*threads)
	for i := range threads {
		part := words[i*each : (i+1)*each]
		for j := range part {
			part[j] = uint64(i ^ j) // written, or all of it would be one page of zeros
		}
		m.parts = append(m.parts, part)
	}
	return m, nil
}

func (m *memory) close() error { return unix.Munmap(m.pages) }

// bytes is the size in bytes.
func (m *memory) bytes() float64 { return float64(8 * len(m.parts) * len(m.parts[0])) }

// readings in a row: one is too short to be timed well.
const readings = 5

// time is that of one reading in seconds. The second result depends on what was read.
func (m *memory) time() (seconds float64, sum uint64) {
	sums := make([]uint64, len(m.parts))
	watch := newStopwatch()
	for range readings {
		var all sync.WaitGroup
		for i, part := range m.parts {
			all.Go(func() { sums[i] += read(part) })
		}
		all.Wait()
	}
	seconds = watch.lap() / readings
	for _, s := range sums {
		sum += s
	}
	return seconds, sum
}

// read adds up a word of each line, four of them at once: so little is to be done that one core
// asks for more lines than the memory gives. It is as fast as vector instructions on all words.
func read(part []uint64) uint64 {
	var a, b, c, d uint64
	for len(part) >= 4*line {
		lines := part[: 4*line : 4*line]
		a += lines[0]
		b += lines[line]
		c += lines[2*line]
		d += lines[3*line]
		part = part[4*line:]
	}
	return a + b + c + d
}
