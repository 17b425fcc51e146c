package graph

import (
	"encoding/binary"
	"math"
	"runtime"
	"sync"

	"golang.org/x/sys/cpu"

	"github.com/captiond/captiond/model/onnx"
)

// int8Product multiplies by weights of 8 bits with a scale for each output (Jacob et al. 2018,
// arXiv:1712.05877); products are summed in 32 bits and so are exact. Rows have a scale each, or
// share one and a zero point, found anew in each run.
func (b *builder) int8Product(x, name string, in, out int64) product {
	weight := name + ".weight"
	if b.rowwise() {
		return b.linear8(x, weight, in, out)
	}
	if !b.Has(weight + ".q") {
		q, scales := quantizeOutputs(b.floats(weight, in*out), int(in), int(out))
		b.Raw(weight+".q", onnx.Int8, []int64{in, out}, q)
		b.Raw(weight+".scale", onnx.Float32, []int64{out}, floatBytes(scales))
	}
	rows := b.quantized(x)
	inputs := []string{rows[0], weight + ".q", rows[1], weight + ".scale", rows[2], ""}
	return product{"com.microsoft.MatMulIntegerToFloat", inputs, nil}
}

// rowwise tells whether products are model/ort's.
func (b *builder) rowwise() bool { return b.cpu() && vectors() && cpu.X86.HasAVX512VNNI }

func (b *builder) linear8(x, weight string, in, out int64) product {
	if !b.Has(weight + ".q") {
		q, offsets, scales := quantizePanels(b.floats(weight, in*out), int(in), int(out))
		panels := int64(len(scales)) / panel
		b.Raw(weight+".q", onnx.Int8, []int64{panels, int64(len(q)) / (panels * panel * group), panel, group}, q)
		b.Raw(weight+".offset", onnx.Int32, []int64{panels * panel}, intBytes(offsets))
		b.Raw(weight+".scale", onnx.Float32, []int64{panels * panel}, floatBytes(scales))
	}
	inputs := []string{x, weight + ".q", weight + ".offset", weight + ".scale"}
	return product{"captiond.Linear8", inputs, []onnx.Attribute{onnx.Int("outputs", out), flag("amx", AMX())}}
}

// quantized is a value in 8 bits with its scale and zero point, computed once for all layers
// that read it.
func (b *builder) quantized(x string) []string {
	if b.rows[x] == nil {
		b.rows[x] = b.Ops("DynamicQuantizeLinear", 3, []string{x})
	}
	return b.rows[x]
}

// block is how many weights of an output share a scale in the step: 32 are no nearer to
// float32 (logits of the built-in model are off by 0.9 % with both, by 1.05 % with 128), and
// make a step a twentieth slower.
const block = 64

// blockProduct multiplies by weights of 8 bits with a scale for each block of an output's
// weights; activations are quantised likewise, block by block of each row, so that no row
// depends on another.
func (b *builder) blockProduct(x, name string, in, out int64) product {
	weight := name + ".weight"
	blocks := (in + block - 1) / block
	if !b.Has(weight + ".q") {
		q, scales := quantizeBlocks(b.floats(weight, in*out), int(in), int(out))
		b.Raw(weight+".q", onnx.Uint8, []int64{out, blocks, block}, q)
		b.Raw(weight+".scale", onnx.Float32, []int64{out * blocks}, floatBytes(scales))
	}
	return product{"com.microsoft.MatMulNBits", []string{x, weight + ".q", weight + ".scale", "", ""}, []onnx.Attribute{
		onnx.Int("K", in), onnx.Int("N", out), onnx.Int("bits", 8), onnx.Int("block_size", block), onnx.Int("accuracy_level", 4),
	}}
}

// quantizeOutputs turns weights [out, in] into [in, out] integers of 8 bits and out scales.
func quantizeOutputs(w []float32, in, out int) (q []byte, scales []float32) {
	const together = 16 // outputs, so that what is written lies together too
	q, scales = make([]byte, in*out), make([]float32, out)
	most := outputLevels()
	share((out+together-1)/together, func(n int) {
		var inverse [together]float32
		first := n * together
		last := min(first+together, out)
		for o := first; o < last; o++ {
			scales[o] = scaleOf(w[o*in:][:in], most)
			inverse[o-first] = 1 / scales[o]
		}
		for i := range in {
			to := q[i*out:][first:last]
			for j := range to {
				to[j] = byte(nearest(w[(first+j)*in+i] * inverse[j&(together-1)]))
			}
		}
	})
	return q, scales
}

// Outputs and inputs of weights as model/ort's Linear8 reads them, and of how many inputs there are
// whole numbers.
const (
	panel = 64
	group = 4
	deep  = 64
)

// quantizePanels turns weights [out, in] into [out/64, in/4, 64, 4] integers of 8 bits, filled up
// with zeros, with as many offsets, -128 times an output's sum, and scales as outputs.
func quantizePanels(w []float32, in, out int) (q []byte, offsets []int32, scales []float32) {
	panels, groups := (out+panel-1)/panel, (in+deep-1)/deep*deep/group
	q, offsets, scales = make([]byte, panels*groups*panel*group), make([]int32, panels*panel), make([]float32, panels*panel)
	share(out, func(o int) {
		row := w[o*in:][:in]
		scales[o] = scaleOf(row, levels)
		inverse, to := 1/scales[o], q[o/panel*groups*panel*group+o%panel*group:]
		for i, v := range row {
			n := nearest(v * inverse)
			to[i/group*panel*group+i%group] = byte(n)
			offsets[o] -= 128 * int32(n)
		}
	})
	return q, offsets, scales
}

// quantizeBlocks turns weights [out, in] into [out, blocks, block] integers of 8 bits, 128
// being zero, and as many scales as blocks. The last block of an output is filled up with
// zeros.
func quantizeBlocks(w []float32, in, out int) (q []byte, scales []float32) {
	blocks := (in + block - 1) / block
	q, scales = make([]byte, out*blocks*block), make([]float32, out*blocks)
	share(out, func(o int) {
		row := w[o*in:][:in]
		for at := o * blocks; len(row) > 0; at++ {
			part := row[:min(block, len(row))]
			row = row[len(part):]
			scales[at] = scaleOf(part, levels)
			inverse, to := 1/scales[at], q[at*block:][:block]
			for i, v := range part {
				to[i] = byte(nearest(v*inverse)) ^ 128
			}
			for i := len(part); i < block; i++ {
				to[i] = 128
			}
		}
	})
	return q, scales
}

// share calls do for 0 to n-1, on all processors.
func share(n int, do func(int)) {
	var wg sync.WaitGroup
	workers := min(runtime.GOMAXPROCS(0), n)
	for worker := range workers {
		wg.Go(func() {
			for i := worker; i < n; i += workers {
				do(i)
			}
		})
	}
	wg.Wait()
}

// The greatest integers that a weight becomes: of 8 bits, and of 7.
const (
	levels      = 127
	fewerLevels = 63
)

// outputLevels is the greatest integer of weights that have a scale for each output. On x86
// without VNNI two products of 8 bits are summed in 16, which is enough only where weights
// have 7 bits.
func outputLevels() float32 {
	if runtime.GOARCH == "amd64" && !cpu.X86.HasAVX512VNNI && !cpu.X86.HasAVXVNNI {
		return fewerLevels
	}
	return levels
}

// scaleOf is what an integer is worth: the greatest weight is so many of it.
func scaleOf(w []float32, levels float32) float32 {
	var most uint32 // magnitudes are in the order of their bits
	for _, v := range w {
		most = max(most, math.Float32bits(v)&^signBit)
	}
	if most == 0 {
		return 1
	}
	return math.Float32frombits(most) / levels
}

const signBit = 1 << 31

// nearest rounds half away from zero.
func nearest(v float32) int8 {
	half := math.Float32bits(v)&signBit | math.Float32bits(0.5)
	return int8(v + math.Float32frombits(half))
}

func intBytes(values []int32) []byte {
	b := make([]byte, 0, 4*len(values))
	for _, v := range values {
		b = binary.LittleEndian.AppendUint32(b, uint32(v))
	}
	return b
}

func floatBytes(values []float32) []byte {
	b := make([]byte, 0, 4*len(values))
	for _, v := range values {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return b
}
