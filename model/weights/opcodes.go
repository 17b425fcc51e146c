package weights

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// allowed are the classes and functions that torch.save names for a dictionary of
// tensors. None of them is Python's: each stands for a value of this package.
func allowed(module, name string) (any, bool) {
	switch module + "." + name {
	case "collections.OrderedDict":
		return nil, true // built by gopickle itself
	case "torch._utils._rebuild_tensor_v2":
		return rebuildTensor{}, true
	case "torch._utils._rebuild_parameter":
		return rebuildParameter{}, true
	}
	d, ok := storages()[name]
	return storageClass{d}, ok && module == "torch"
}

// storages are torch's classes of tensor data.
func storages() map[string]DType {
	return map[string]DType{
		"DoubleStorage": F64, "FloatStorage": F32, "HalfStorage": F16, "BFloat16Storage": BF16,
		"LongStorage": I64, "IntStorage": I32, "ShortStorage": I16, "CharStorage": I8,
		"ByteStorage": U8, "BoolStorage": Bool,
	}
}

// An UnsafeError says that a pickle asks for something else than tensors.
type UnsafeError struct {
	Name string // such as os.system
}

func (e *UnsafeError) Error() string {
	return fmt.Sprintf("the pickle asks for %q, which is no part of a plain checkpoint: nothing was executed and the file is refused as unsafe; %s", clip(e.Name), hint)
}

// scan walks over the instructions of a pickle before gopickle runs them. It lets only
// those pass that torch.save writes (the set of torch's own weights_only loader), checks
// the names, and that every argument lies within the pickle, so that no length in it can
// make anybody allocate more than that.
func scan(p []byte) error {
	s := scanner{rest: p}
	for len(s.rest) > 0 {
		op := s.rest[0]
		s.rest = s.rest[1:]
		if err := s.step(op); err != nil {
			return err
		}
		if op == '.' {
			return s.finish()
		}
	}
	return errors.New("the pickle is truncated: download or copy the file again")
}

type scanner struct {
	rest  []byte
	last  [2]string // the strings pushed last, which STACK_GLOBAL reads
	depth int       // open marks

	foreign bool // not protocol 2
}

func (s *scanner) finish() error {
	if s.foreign {
		return fmt.Errorf("the pickle is not of protocol 2, as torch.save's are: save it again with torch.save's defaults, or %s", hint)
	}
	if len(s.rest) > 0 {
		return errors.New("there is more after the pickle's end: the file is damaged")
	}
	return nil
}

// maxMarks bounds the nesting; torch.save needs 4.
const maxMarks = 64

// step checks one instruction and passes over its argument.
func (s *scanner) step(op byte) error {
	switch op {
	case '.', 'N', ')', ']', '}', 'a', 's', 'R', 'b', 'Q', 0x81, 0x85, 0x86, 0x87, 0x88, 0x89:
		return nil
	case '(':
		s.depth++
		if s.depth > maxMarks {
			return errors.New("the pickle is nested too deeply")
		}
		return nil
	case 't', 'e', 'u':
		s.depth--
		return nil
	case 0x80, 'K', 'h', 'q':
		return s.skip(1)
	case 'M':
		return s.skip(2)
	case 'J', 'j', 'r':
		return s.skip(4)
	case 'G':
		return s.skip(8)
	case 0x8a, 'U':
		return s.counted(1, op == 0x8a)
	case 'X':
		return s.counted(4, false)
	case 'c':
		return s.global()
	}
	return s.other(op)
}

// other follows the instructions of other protocols only to say what such a pickle wants:
// finish refuses it in any case.
func (s *scanner) other(op byte) error {
	s.foreign = true
	switch op {
	case 'S', 'V', 'I', 'F', 'L', 'p', 'g', 'P': // protocol 0: the argument is a line
		_, err := s.line()
		return err
	case 'l', 'd', 'o', 0x94:
		return nil
	case 'i': // INST
		return s.global()
	case 0x8c: // SHORT_BINUNICODE
		return s.counted(1, false)
	case 0x95: // FRAME
		return s.skip(8)
	case 0x93: // STACK_GLOBAL: module and name were pushed before
		return check(s.last[0], s.last[1])
	case 0x82, 0x83, 0x84: // EXT
		return &UnsafeError{"an extension code"}
	}
	return fmt.Errorf("the pickle has instruction 0x%02x, which torch.save does not write: the file is refused; %s", op, hint)
}

func (s *scanner) skip(n int) error {
	_, err := s.take(n)
	return err
}

func (s *scanner) take(n int) ([]byte, error) {
	if n > len(s.rest) {
		return nil, errors.New("an argument reaches beyond the pickle's end: the file is damaged")
	}
	out := s.rest[:n]
	s.rest = s.rest[n:]
	return out, nil
}

// counted passes over an argument whose length is given in width bytes: a string, or an
// integer of 1 to 8 bytes.
func (s *scanner) counted(width int, integer bool) error {
	prefix, err := s.take(width)
	if err != nil {
		return err
	}
	var word [8]byte
	copy(word[:], prefix)
	text, err := s.take(int(binary.LittleEndian.Uint64(word[:])))
	if err != nil {
		return err
	}
	if integer && (len(text) == 0 || len(text) > 8) {
		return fmt.Errorf("an integer of %d bytes", len(text))
	}
	s.last = [2]string{s.last[1], string(text)}
	return nil
}

// global checks the name that a GLOBAL instruction asks for.
func (s *scanner) global() error {
	module, err := s.line()
	if err != nil {
		return err
	}
	name, err := s.line()
	if err != nil {
		return err
	}
	return check(module, name)
}

func check(module, name string) error {
	if _, ok := allowed(module, name); !ok {
		return &UnsafeError{module + "." + name}
	}
	return nil
}

func (s *scanner) line() (string, error) {
	n := bytes.IndexByte(s.rest, '\n')
	if n < 0 {
		return "", errors.New("the pickle is truncated: download or copy the file again")
	}
	line, err := s.take(n + 1)
	return strings.TrimSuffix(string(line), "\n"), err
}
