package model

import (
	"context"
	"math"
	"slices"
)

// rows are texts that grow side by side. Their prompts may differ in length: they are
// padded at the end, and what is padded is never seen.
type rows struct {
	model   *Model
	prefix  *Prefix
	past    []Value // for each layer keys and values [slots, heads, columns, d]
	logits  Value   // after each row's last token [rows, vocabulary]
	columns int     // tokens of a row so far, padding included
	width   int     // columns of the prompts
	prompt  []int   // length of each row's prompt
	window  []int   // each row's, of those of the prefix
	slot    []int   // each row's place in past: every window has as many, one window after the other
	slots   int     // slots of all windows
}

// place gives each row a slot of its window. What is left over in windows with fewer rows
// is computed and not looked at.
func (r *rows) place() {
	taken := make([]int, r.prefix.windows)
	most := 0
	for _, w := range r.window {
		taken[w]++
		most = max(most, taken[w])
	}
	clear(taken)
	r.slot, r.slots = make([]int, len(r.window)), most*len(taken)
	for i, w := range r.window {
		r.slot[i] = w*most + taken[w]
		taken[w]++
	}
}

// prompt is what a row begins with, and the window that it is about.
type prompt struct {
	ids    []int64
	window int
}

// start runs the prompts, at least one token each.
func (m *Model) start(ctx context.Context, p *Prefix, prompts []prompt) (*rows, error) {
	r := &rows{model: m, prefix: p}
	parents, tokens := make([]int64, len(prompts)), make([][]int64, len(prompts))
	for i, prompt := range prompts {
		r.width = max(r.width, len(prompt.ids))
		r.prompt, r.window = append(r.prompt, len(prompt.ids)), append(r.window, prompt.window)
		parents[i], tokens[i] = int64(i), prompt.ids
	}
	r.place()
	text := m.sizes.Text
	for range 2 * text.Layers {
		v, err := m.runtime.Wrap([]float32{}, int64(r.slots), text.Heads, 0, text.Hidden/text.Heads)
		if err != nil {
			closeAll(r.past)
			return nil, err
		}
		r.past = append(r.past, v)
	}
	defer closeAll(r.past)
	return r.run(ctx, tokens, parents)
}

// fork adds a token to each of some rows: to row parents[i] the token tokens[i]. A row
// may go on in several ways or in none. The rows forked from stay as they are.
func (r *rows) fork(ctx context.Context, tokens, parents []int64) (*rows, error) {
	next := make([][]int64, len(tokens))
	for i := range tokens {
		next[i] = tokens[i : i+1]
	}
	return r.run(ctx, next, parents)
}

// outlooks are how each row may go on. They read the rows' memory: close ends their use.
func (r *rows) outlooks() []outlook {
	vocabulary := int(r.model.sizes.Vocabulary)
	return r.model.exp.lookAll(slices.Collect(slices.Chunk(r.logits.Float32(), vocabulary)))
}

// close frees the memory of the rows.
func (r *rows) close() {
	closeAll(r.past)
	r.logits.Close()
}

// run appends tokens, padded to one length, and returns the new rows.
func (r *rows) run(ctx context.Context, tokens [][]int64, parents []int64) (*rows, error) {
	length := 0
	next := &rows{model: r.model, prefix: r.prefix, width: r.width}
	for i, row := range tokens {
		length = max(length, len(row))
		next.prompt = append(next.prompt, r.prompt[parents[i]])
		next.window = append(next.window, r.window[parents[i]])
	}
	next.columns = r.columns + length
	next.place()
	n := next.slots
	ids, positions := make([]int64, n*length), make([]int64, n*length)
	from, last := make([]int64, n), make([]int64, len(tokens))
	for i, row := range tokens {
		at := next.slot[i] * length
		copy(ids[at:], row)
		for j := range row {
			positions[at+j] = int64(next.position(i, r.columns+j))
		}
		from[next.slot[i]] = int64(r.slot[parents[i]])
		last[i] = int64(at + len(row) - 1)
	}
	rows, columns := int64(n), int64(length)
	out, err := r.model.run(ctx, r.model.step, []tensor{
		{data: ids, shape: []int64{rows, columns}},
		{data: positions, shape: []int64{rows, columns}},
		{data: next.mask(r.columns), shape: []int64{rows, 1, columns, int64(next.columns)}},
		{data: last, shape: []int64{int64(len(last))}},
		{data: from, shape: []int64{rows}},
	}, append(append([]Value(nil), r.prefix.images...), r.past...)...)
	if err != nil {
		return nil, err
	}
	next.logits, next.past = out[0], out[1:]
	return next, nil
}

// position is the text position of a row's column: padding takes none.
func (r *rows) position(row, column int) int {
	if column < r.width {
		return column
	}
	return r.prompt[row] + column - r.width
}

// mask is 0 where the tokens from column first on see a column, else -inf: no token
// sees later ones or padding, but itself always.
func (r *rows) mask(first int) []float32 {
	length := r.columns - first
	mask := make([]float32, r.slots*length*r.columns)
	hidden := float32(math.Inf(-1))
	for i, prompt := range r.prompt {
		for j := range length {
			row := mask[(r.slot[i]*length+j)*r.columns:][:r.columns]
			for c := range row {
				padding := c >= prompt && c < r.width
				if c > first+j || padding && c != first+j {
					row[c] = hidden
				}
			}
		}
	}
	return mask
}
