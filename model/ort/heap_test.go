package ort

import (
	"math/rand/v2"
	"sync"
	"testing"
	"unsafe"

	"github.com/captiond/captiond/model/onnx"
)

// block is memory of the heap, written from end to end with its mark.
type block struct {
	bytes []byte
	mark  byte
}

func newBlock(t *testing.T, size int, mark byte) block {
	t.Helper()
	p := allocate(size)
	if p == nil || uintptr(p)%64 != 0 {
		t.Fatalf("%d bytes are at %p", size, p)
	}
	b := block{unsafe.Slice((*byte)(p), size), mark}
	for i := range b.bytes {
		b.bytes[i] = mark
	}
	return b
}

// free gives the block back if nobody else wrote to it.
func (b block) free(t *testing.T) {
	t.Helper()
	for i, c := range b.bytes {
		if c != b.mark {
			t.Fatalf("byte %d of %d is %d, want %d: blocks overlap", i, len(b.bytes), c, b.mark)
		}
	}
	deallocate(unsafe.Pointer(unsafe.SliceData(b.bytes)))
}

// TestHeap has several threads take and free blocks of all sizes in any order: none overlap,
// and in the end the system has its memory back but for one region.
func TestHeap(t *testing.T) {
	before := held()
	var threads sync.WaitGroup
	for seed := range uint64(4) {
		threads.Go(func() {
			random := rand.New(rand.NewPCG(seed, 27))
			var blocks []block
			for range 400 {
				if len(blocks) > 0 && random.IntN(5) < 2 {
					i := random.IntN(len(blocks))
					blocks[i].free(t)
					blocks[i] = blocks[len(blocks)-1]
					blocks = blocks[:len(blocks)-1]
					continue
				}
				size := 1 + random.IntN(1<<(6+random.IntN(17))) // up to 4 MiB, mostly less
				blocks = append(blocks, newBlock(t, size, byte(random.IntN(256))))
			}
			for _, b := range blocks {
				b.free(t)
			}
		})
	}
	threads.Wait()
	if after := held(); after > before+128<<20 {
		t.Errorf("%d bytes are held after all blocks were freed, %d before", after, before)
	}
}

// TestHeapGivesBack frees what is larger than a region at once, and takes the same memory again
// for what has its size.
func TestHeapGivesBack(t *testing.T) {
	before := held()
	large := newBlock(t, 150<<20, 1)
	if held() < before+150<<20 {
		t.Errorf("%d bytes are held with 150 MiB in use, %d before", held(), before)
	}
	large.free(t)
	if after := held(); after > before {
		t.Errorf("%d bytes are held, %d before", after, before)
	}
	first, second := newBlock(t, 1<<20, 2), newBlock(t, 1<<20, 3)
	place := unsafe.SliceData(first.bytes)
	first.free(t)
	again := newBlock(t, 1<<20, 4)
	if unsafe.SliceData(again.bytes) != place {
		t.Error("a freed block is not taken again by what fits it")
	}
	again.free(t)
	second.free(t)
}

// TestHeapRefuses answers nil to what cannot be had, as the library expects.
func TestHeapRefuses(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, -1, 1 << 60} {
		if p := allocate(size); p != nil {
			t.Errorf("%d bytes are at %p", size, p)
		}
	}
	deallocate(nil)
}

// TestValuesLieInTheHeap runs a graph whose output is larger than a region.
func TestValuesLieInTheHeap(t *testing.T) {
	r := open(t, Options{Device: "cpu", Threads: 1})
	const rows, columns = 40, 1 << 20 // 160 MiB
	g := onnx.New("large", 17)
	g.Output(g.Op("Expand", []string{g.Input("x", onnx.Float32, 1), g.Ints(rows, columns)}), onnx.Float32, rows, columns)
	s := newSession(t, r, g.Bytes())
	before := held()
	out, err := s.Run(t.Context(), wrap(t, r, []float32{1}, 1))
	if err != nil {
		t.Fatal(err)
	}
	if held() < before+4*rows*columns {
		t.Errorf("%d bytes are held, %d before the run: the library took its memory elsewhere", held(), before)
	}
	out[0].Close()
	if held() >= before+4*rows*columns {
		t.Errorf("%d bytes are held after the value was closed, %d before", held(), before)
	}
}
