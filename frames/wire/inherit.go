package wire

import "os"

// Inherited returns what a child finds at its start: the input, the requests of its parent
// and the way to answer. It is called once, at the start of a process.
func Inherited() (input *os.File, in *Reader, out *Writer) {
	input = os.NewFile(InputFD, "input")
	in = NewReader(os.NewFile(RequestFD, "requests"), 0)
	return input, in, NewWriter(os.NewFile(ReportFD, "reports"))
}
