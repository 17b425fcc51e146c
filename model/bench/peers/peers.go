// Package peers runs the peers of captiond's benchmark: the same work in PyTorch, by the
// script peers.py beside this file, which says what they are. The script is a process that
// sleeps until it is told to do one clip.
package peers

import (
	"bufio"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

//go:embed peers.py
var script []byte

// The peers, as the script names them: the ways are followed by a precision.
const (
	Transformers = "transformers"
	Cached       = "cached" // the fastest way
	Plain        = "plain"  // as it is written
)

// Names are those worth timing: a cached peer as it is written, too, where another way is faster.
func (a About) Names() (names []string) {
	for _, precision := range []string{"float32", "bfloat16"} {
		names = append(names, Cached+" "+precision)
		if a.Ways[precision].Kept != Plain {
			names = append(names, Plain+" "+precision)
		}
	}
	return append(names, Transformers)
}

// Options of the peers.
type Options struct {
	Python  string  // an interpreter that has the packages
	Folder  string  // of the checkpoint
	Threads int     // 0 is one for each core
	Tokens  int     // of the text
	Prompt  []int64 // tokens of the question, without the begin token
	ISA     string  // limits oneDNN's instruction set, such as AVX512_CORE_VNNI; "" does not
	Errors  io.Writer
}

// About is what the script says of itself.
type About struct {
	Torch        string         `json:"torch"`
	Transformers string         `json:"transformers"`
	Threads      int            `json:"threads"`
	Capability   string         `json:"capability"` // of PyTorch's own kernels: AVX2, AVX512
	ISA          string         `json:"isa"`        // the limit, "" without one
	Ways         map[string]Way `json:"ways"`       // how the cached ones are made, by precision
}

// Way is how a cached peer is made: of the ways tried the fastest.
type Way struct {
	Kept    string             `json:"kept"`    // plain, packed or compiled
	Seconds map[string]float64 `json:"seconds"` // of each way that works here
}

// Check is how a cached peer's numbers compare with those of transformers.
type Check struct {
	Tokens int     `json:"tokens"` // compared
	Error  float64 `json:"error"`  // greatest difference of two logits
	Same   bool    `json:"same"`   // the tokens
}

// Peers are ready to run. They serve one goroutine.
type Peers struct {
	About   About
	process *exec.Cmd
	folder  string // that the script is in
	in      io.WriteCloser
	out     *bufio.Reader
}

// Start has the script load the checkpoint and try the ways, which takes a minute or two.
// A cancelled context ends it.
func Start(ctx context.Context, o Options) (_ *Peers, err error) {
	p := &Peers{}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("start peers: %w", err), p.Close())
		}
	}()
	if p.folder, err = os.MkdirTemp("", "captiond-peers-"); err != nil {
		return nil, err
	}
	path := filepath.Join(p.folder, "peers.py")
	if err := os.WriteFile(path, script, 0o600); err != nil {
		return nil, err
	}
	if err := p.start(exec.CommandContext(ctx, o.Python, o.arguments(path)...), o.Errors); err != nil {
		return nil, err
	}
	return p, p.read(&p.About)
}

func (o Options) arguments(script string) []string {
	ids := make([]string, len(o.Prompt))
	for i, id := range o.Prompt {
		ids[i] = strconv.FormatInt(id, 10)
	}
	return []string{
		script, o.Folder, "--threads", strconv.Itoa(o.Threads), "--tokens", strconv.Itoa(o.Tokens),
		"--prompt", strings.Join(ids, ","), "--isa", o.ISA,
	}
}

func (p *Peers) start(command *exec.Cmd, errors io.Writer) (err error) {
	command.Stderr = errors
	if p.in, err = command.StdinPipe(); err != nil {
		return err
	}
	out, err := command.StdoutPipe()
	if err != nil {
		return err
	}
	p.out = bufio.NewReader(out)
	if err := command.Start(); err != nil {
		return err
	}
	p.process = command
	return nil
}

// Run has a peer do one clip and returns its time in seconds.
func (p *Peers) Run(peer string) (float64, error) {
	var answer struct{ Seconds float64 }
	if err := p.ask("run "+peer, &answer); err != nil {
		return 0, fmt.Errorf("run %s: %w", peer, err)
	}
	return answer.Seconds, nil
}

// tolerance of the logits between PyTorch by hand and transformers, in float32.
const tolerance = 1e-3

// Verify compares the cached peer's float32 numbers with those of transformers: of its last
// run, or where there was none, of two tokens. A baseline that computes something else is
// none: it is an error.
func (p *Peers) Verify() (*Check, error) {
	var c Check
	if err := p.ask("verify", &c); err != nil {
		return nil, fmt.Errorf("verify peers: %w", err)
	}
	if !c.Same || !(c.Error <= tolerance) {
		return nil, fmt.Errorf("verify peers: logits differ by %g, the same tokens: %v", c.Error, c.Same)
	}
	return &c, nil
}

func (p *Peers) ask(command string, answer any) error {
	if _, err := io.WriteString(p.in, command+"\n"); err != nil {
		return err
	}
	return p.read(answer)
}

func (p *Peers) read(answer any) error {
	line, err := p.out.ReadBytes('\n')
	if errors.Is(err, io.EOF) {
		return errors.New("the script ended; it says why on its standard error")
	}
	if err != nil {
		return err
	}
	return json.Unmarshal(line, answer)
}

// Close ends the script. It is called once.
func (p *Peers) Close() (err error) {
	if p.process != nil {
		err = errors.Join(p.in.Close(), p.process.Wait())
	}
	return errors.Join(err, os.RemoveAll(p.folder))
}
