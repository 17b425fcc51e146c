// Command child is a decode child that misbehaves as its argument says. It speaks the
// protocol of frames/wire and decodes nothing.
package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"github.com/captiond/captiond/frames/sandbox"
	"github.com/captiond/captiond/frames/wire"
)

// A script is what a child does when it is asked to show something.
type script func(out *wire.Writer, m wire.Show)

func main() {
	mode := os.Args[1]
	if mode == "fork" { // before the sandbox, which forbids it
		fork()
	}
	limits := sandbox.DefaultLimits()
	limits.CPU = time.Second
	level, err := sandbox.Enter(limits)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	_, in, out := wire.Inherited()
	if mode == "mute" {
		select {}
	}
	out.Write(wire.Ready{Libraries: map[string]string{"env": strings.Join(os.Environ(), ",")}, Landlock: level.Landlock, Seccomp: level.Seccomp})
	for {
		m, err := in.Read()
		if err != nil {
			os.Exit(0)
		}
		switch m := m.(type) {
		case wire.Open:
			open(mode, out)
		case wire.Show:
			scripts()[mode](out, m)
		}
	}
}

// fork leaves a process behind that holds the pipes.
func fork() {
	cmd := exec.Command("/bin/sleep", "3600")
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		os.Exit(1)
	}
}

func open(mode string, out *wire.Writer) {
	if mode == "refuse" {
		out.Write(wire.Failure{Message: "no video track\x1b[2J"})
		os.Exit(1)
	}
	out.Write(wire.Opened{Container: "test", Codec: "none", Width: 2, Height: 2, Duration: time.Minute, Title: "a\x00title"})
}

func scripts() map[string]script {
	return map[string]script{
		"good":     good,
		"fork":     good,
		"slow":     slow,
		"crash":    func(*wire.Writer, wire.Show) { say("[h264 @ 0x5581] error while decoding MB 3 4"); crash() },
		"panic":    func(*wire.Writer, wire.Show) { say("[mov @ 0x1] a message"); panic("index out of range: secret") },
		"hang":     func(*wire.Writer, wire.Show) { say("[mpegts @ 0x1] waiting"); select {} },
		"stubborn": func(*wire.Writer, wire.Show) { signal.Ignore(syscall.SIGTERM); select {} },
		"still":    still,
		"spin":     func(*wire.Writer, wire.Show) { spin(time.Hour) },
		"exit":     func(*wire.Writer, wire.Show) { os.Exit(3) },
		"garbage":  func(*wire.Writer, wire.Show) { raw(0x12345678, 'p', 100); select {} },
		"length":   func(*wire.Writer, wire.Show) { raw(0x63640001, 'p', 1<<31); select {} },
		"long":     func(*wire.Writer, wire.Show) { raw(0x63640001, 's', 1<<20); select {} },
		"cut":      func(*wire.Writer, wire.Show) { raw(0x63640001, 's', 10); os.Exit(0) },
		"outside": func(out *wire.Writer, m wire.Show) {
			out.Write(picture(0, len(m.Instants)+1, 0))
		},
		"backwards": func(out *wire.Writer, m wire.Show) {
			out.Write(picture(0, 1, time.Second))
			out.Write(picture(1, 1, time.Second))
		},
		"few":    func(out *wire.Writer, m wire.Show) { out.Write(picture(0, 1, 0)); out.Write(wire.Shown{}) },
		"memory": func(*wire.Writer, wire.Show) { fill() },
		"noise":  noise,
	}
}

// good shows one picture for each two instants, and finds damage on the way.
func good(out *wire.Writer, m wire.Show) {
	for i := 0; i < len(m.Instants); i += 2 {
		out.Write(picture(i, min(2, len(m.Instants)-i), m.Instants[i]))
	}
	out.Write(wire.Shown{Damage: "cut off\nat 3 s"})
}

// slow works for three times the processor time of its limit, and says so.
func slow(out *wire.Writer, m wire.Show) {
	for i := range int64(30) {
		spin(100 * time.Millisecond)
		out.Write(wire.Progress{Packets: i + 1})
	}
	good(out, m)
}

// still says that it works and gets nowhere.
func still(out *wire.Writer, _ wire.Show) {
	for {
		time.Sleep(50 * time.Millisecond)
		out.Write(wire.Progress{Packets: 7})
	}
}

// noise prints much more than anybody wants to read, in lines and in one line.
func noise(out *wire.Writer, m wire.Show) {
	for i := range 10000 {
		say(fmt.Sprintf("[test @ 0x%x] line %d", i, i))
	}
	say(strings.Repeat("x", 1<<20))
	good(out, m)
}

func picture(first, count int, pts time.Duration) wire.Picture {
	return wire.Picture{First: first, Count: count, PTS: pts, Width: 2, Height: 2, Pixels: []byte("abcdefghijkl")}
}

func say(line string) { fmt.Fprintln(os.Stderr, line) }

func crash() { *(*int)(unsafe.Pointer(uintptr(8))) = 1 }

func spin(d time.Duration) {
	for begun := time.Now(); time.Since(begun) < d; {
	}
}

func fill() {
	var all [][]byte
	for {
		b := make([]byte, 64<<20)
		for i := 0; i < len(b); i += 4096 {
			b[i] = 1
		}
		all = append(all, b)
	}
}

// raw writes a header that no Writer would.
func raw(magic uint32, kind byte, length uint32) {
	h := binary.BigEndian.AppendUint32(nil, magic)
	h = append(h, kind, 0, 0, 0)
	h = binary.BigEndian.AppendUint32(h, length)
	os.NewFile(wire.ReportFD, "reports").Write(append(h, 1, 2, 3))
}
