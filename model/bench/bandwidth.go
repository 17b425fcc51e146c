package bench

import "sync"

// A memory is read to learn how fast that goes: as many bytes as a token of text needs,
// again and again, so that what stays in a cache for the model stays there for it too.
type memory struct{ parts [][]uint64 }

// newMemory is of some bytes, at least 64, read by some threads at once, at least one.
func newMemory(bytes float64, threads int) *memory {
	m := &memory{}
	each := max(1, int(bytes)/8/threads)
	for i := range threads {
		part := make([]uint64, each)
		for j := range part {
			part[j] = uint64(i ^ j) // written, or all of it would be one page of zeros
		}
		m.parts = append(m.parts, part)
	}
	return m
}

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

// read adds up what is there. One load for each addition, and eight sums that do not wait
// for one another: one core asks for more than the memory gives.
func read(part []uint64) uint64 {
	var s [8]uint64
	for len(part) >= 8 {
		line := part[:8:8]
		s[0] += line[0]
		s[1] += line[1]
		s[2] += line[2]
		s[3] += line[3]
		s[4] += line[4]
		s[5] += line[5]
		s[6] += line[6]
		s[7] += line[7]
		part = part[8:]
	}
	return s[0] + s[1] + s[2] + s[3] + s[4] + s[5] + s[6] + s[7]
}
