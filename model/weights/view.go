package weights

import (
	"errors"
	"fmt"
	"io"
)

// check makes sure that no element of the view lies outside its storage.
func (v view) check() error {
	n, ok := product(v.shape)
	if !ok {
		return fmt.Errorf("impossible shape %v", v.shape)
	}
	if v.offset < 0 || v.offset > v.storage.count {
		return fmt.Errorf("it begins at element %d of %d", v.offset, v.storage.count)
	}
	if n == 0 {
		return nil
	}
	last := v.offset
	for i, d := range v.shape {
		stride := v.strides[i]
		if stride < 0 || stride > maxDimension || d > 1 && stride > (v.storage.count-1-last)/(d-1) {
			return fmt.Errorf("shape %v with strides %v from element %d leaves its storage of %d elements", v.shape, v.strides, v.offset, v.storage.count)
		}
		last += stride * (d - 1)
	}
	if last >= v.storage.count {
		return fmt.Errorf("it begins at element %d of %d", v.offset, v.storage.count)
	}
	return nil
}

// contiguous says whether the elements lie in row-major order without holes. The stride
// of a dimension of one element has no meaning.
func (v view) contiguous() bool {
	n, _ := product(v.shape)
	want := rowMajor(v.shape)
	for i, d := range v.shape {
		if d != 1 && n != 0 && v.strides[i] != want[i] {
			return false
		}
	}
	return true
}

// copy gathers the elements of a view. No view is larger than its storage and all copies
// together no larger than the file, so that a few bytes cannot ask for all memory.
func (a *archive) copy(v view, at int64) ([]byte, error) {
	n, _ := product(v.shape)
	width := v.storage.dtype.Size()
	if n > v.storage.count {
		return nil, errors.New("it repeats the elements of its storage (an expanded view): save it with .contiguous()")
	}
	a.copied += n * width
	if a.copied > a.size {
		return nil, errors.New("the file's views are larger than the file: save them with .contiguous()")
	}
	block := make([]byte, (v.storage.count-v.offset)*width)
	if _, err := io.ReadFull(io.NewSectionReader(a, at+v.offset*width, int64(len(block))), block); err != nil {
		return nil, err
	}
	return v.gather(block, n), nil
}

// gather walks over the indices of the view like an odometer, the last one fastest.
func (v view) gather(block []byte, n int64) []byte {
	width := v.storage.dtype.Size()
	out := make([]byte, 0, n*width)
	index := make([]int64, len(v.shape))
	from := int64(0)
	for range n {
		out = append(out, block[from*width:(from+1)*width]...)
		for i := len(index) - 1; i >= 0; i-- {
			index[i]++
			from += v.strides[i]
			if index[i] < v.shape[i] {
				break
			}
			from -= v.strides[i] * v.shape[i]
			index[i] = 0
		}
	}
	return out
}
