package weights

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/nlpodyssey/gopickle/pickle"
	"github.com/nlpodyssey/gopickle/types"
)

// storage is the block of elements that tensors are views of: the zip entry data/key.
type storage struct {
	dtype DType
	key   string
	count int64
}

// view is what _rebuild_tensor_v2 makes: strides and offset count elements.
type view struct {
	storage storage
	offset  int64
	shape   []int64
	strides []int64
}

// unpickle reads the dictionary of tensors in data.pkl. gopickle, which panics on some
// malformed input, sees only what scan let pass.
func unpickle(data []byte) (views map[string]view, err error) {
	if err := scan(data); err != nil {
		return nil, err
	}
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the pickle is malformed: %v", r)
		}
	}()
	u := pickle.NewUnpickler(bytes.NewReader(data))
	u.FindClass = findClass
	u.PersistentLoad = loadStorage
	value, err := u.Load()
	if err != nil {
		return nil, fmt.Errorf("the pickle is malformed: %w", err)
	}
	return tensorsOf(value)
}

func findClass(module, name string) (any, error) {
	class, ok := allowed(module, name)
	if !ok {
		return nil, &UnsafeError{module + "." + name}
	}
	return class, nil
}

// storageClass is torch's FloatStorage and its like.
type storageClass struct{ dtype DType }

// loadStorage resolves ("storage", class, key, device, number of elements).
func loadStorage(id any) (any, error) {
	t, ok := id.(*types.Tuple)
	if !ok || t.Len() != 5 || t.Get(0) != "storage" {
		return nil, errors.New("a persistent id that is not a storage")
	}
	class, isClass := t.Get(1).(storageClass)
	key, isKey := t.Get(2).(string)
	count, isCount := t.Get(4).(int)
	if !isClass || !isKey || !isCount || count < 0 || count > maxDimension {
		return nil, errors.New("a storage with impossible properties")
	}
	return storage{class.dtype, key, int64(count)}, nil
}

type rebuildTensor struct{}

// Call takes (storage, offset, shape, strides, requires_grad, hooks[, metadata]).
func (rebuildTensor) Call(args ...any) (any, error) {
	if len(args) < 6 || len(args) > 7 {
		return nil, fmt.Errorf("a tensor of %d parts", len(args))
	}
	s, isStorage := args[0].(storage)
	offset, isOffset := args[1].(int)
	shape, isShape := integers(args[2])
	strides, isStrides := integers(args[3])
	if !isStorage || !isOffset || !isShape || !isStrides || len(shape) != len(strides) {
		return nil, errors.New("a tensor with impossible parts")
	}
	return view{s, int64(offset), shape, strides}, nil
}

type rebuildParameter struct{}

// Call takes (tensor, requires_grad, hooks).
func (rebuildParameter) Call(args ...any) (any, error) {
	if len(args) != 3 {
		return nil, fmt.Errorf("a parameter of %d parts", len(args))
	}
	v, ok := args[0].(view)
	if !ok {
		return nil, errors.New("a parameter without a tensor")
	}
	return v, nil
}

func integers(v any) ([]int64, bool) {
	t, ok := v.(*types.Tuple)
	if !ok || t.Len() > maxDims {
		return nil, false
	}
	out := make([]int64, t.Len())
	for i := range out {
		n, ok := t.Get(i).(int)
		if !ok {
			return nil, false
		}
		out[i] = int64(n)
	}
	return out, true
}

// tensorsOf reads the dictionary that the pickle left.
func tensorsOf(value any) (map[string]view, error) {
	views := map[string]view{}
	add := func(key, value any) error {
		name, isName := key.(string)
		v, isView := value.(view)
		if !isName || !isView {
			return fmt.Errorf("entry %q of the file is not a tensor: save the model's state_dict() alone", clip(fmt.Sprint(name)))
		}
		if _, twice := views[name]; twice {
			return fmt.Errorf("tensor %s comes twice", clip(name))
		}
		views[name] = v
		return nil
	}
	switch d := value.(type) {
	case *types.OrderedDict:
		for e := d.List.Front(); e != nil; e = e.Next() {
			entry := e.Value.(*types.OrderedDictEntry)
			if err := add(entry.Key, entry.Value); err != nil {
				return nil, err
			}
		}
	case *types.Dict:
		for _, entry := range *d {
			if err := add(entry.Key, entry.Value); err != nil {
				return nil, err
			}
		}
	default:
		return nil, errors.New("the file holds no dictionary of tensors: save the model's state_dict()")
	}
	return views, nil
}
