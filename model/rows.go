package model

import (
	"context"
	"math"
)

// rows are texts that grow side by side on one window. Their prompts may differ in
// length: they are padded at the end, and what is padded is never seen.
type rows struct {
	model   *Model
	prefix  *Prefix
	past    []Value // for each layer keys and values [rows, heads, columns, d]
	columns int     // tokens of a row so far, padding included
	width   int     // columns of the prompts
	prompt  []int   // length of each row's prompt
}

// start runs the prompts, at least one token each, and returns the logits after each.
func (m *Model) start(ctx context.Context, p *Prefix, prompts [][]int64) (*rows, [][]float32, error) {
	r := &rows{model: m, prefix: p}
	parents := make([]int64, len(prompts))
	for i, prompt := range prompts {
		r.width = max(r.width, len(prompt))
		r.prompt = append(r.prompt, len(prompt))
		parents[i] = int64(i)
	}
	text := m.sizes.Text
	for range 2 * text.Layers {
		v, err := m.runtime.Floats([]float32{}, int64(len(prompts)), text.Heads, 0, text.Hidden/text.Heads)
		if err != nil {
			closeAll(r.past)
			return nil, nil, err
		}
		r.past = append(r.past, v)
	}
	defer closeAll(r.past)
	return r.run(ctx, prompts, parents)
}

// fork adds a token to each of some rows: to row parents[i] the token tokens[i]. A row
// may go on in several ways or in none. The rows forked from stay as they are.
func (r *rows) fork(ctx context.Context, tokens, parents []int64) (*rows, [][]float32, error) {
	next := make([][]int64, len(tokens))
	for i := range tokens {
		next[i] = tokens[i : i+1]
	}
	return r.run(ctx, next, parents)
}

// close frees the memory of the rows.
func (r *rows) close() {
	closeAll(r.past)
	r.past = nil
}

// run appends tokens, padded to one length, and returns the new rows and the logits
// after each row's last token.
func (r *rows) run(ctx context.Context, tokens [][]int64, parents []int64) (*rows, [][]float32, error) {
	n, length := len(tokens), 0
	next := &rows{model: r.model, prefix: r.prefix, width: r.width}
	for i, row := range tokens {
		length = max(length, len(row))
		next.prompt = append(next.prompt, r.prompt[parents[i]])
	}
	next.columns = r.columns + length
	ids, positions, last := make([]int64, n*length), make([]int64, n*length), make([]int64, n)
	for i, row := range tokens {
		copy(ids[i*length:], row)
		for j := range row {
			positions[i*length+j] = int64(next.position(i, r.columns+j))
		}
		last[i] = int64(i*length + len(row) - 1)
	}
	rows, columns := int64(n), int64(length)
	out, err := r.model.run(ctx, r.model.step, []tensor{
		{ints: ids, shape: []int64{rows, columns}},
		{ints: positions, shape: []int64{rows, columns}},
		{floats: next.mask(r.columns), shape: []int64{rows, 1, columns, int64(next.columns)}},
		{ints: last, shape: []int64{rows}},
		{ints: parents, shape: []int64{rows}},
	}, append(append([]Value(nil), r.prefix.images...), r.past...)...)
	if err != nil {
		return nil, nil, err
	}
	next.past = out[1:]
	defer out[0].Close()
	return next, splitLogits(out[0].Float32(), n), nil
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
	n, length := len(r.prompt), r.columns-first
	mask := make([]float32, n*length*r.columns)
	hidden := float32(math.Inf(-1))
	for i := range n {
		for j := range length {
			row := mask[(i*length+j)*r.columns:][:r.columns]
			for c := range row {
				padding := c >= r.prompt[i] && c < r.width
				if c > first+j || padding && c != first+j {
					row[c] = hidden
				}
			}
		}
	}
	return mask
}

// splitLogits copies the logits of each row.
func splitLogits(data []float32, n int) [][]float32 {
	logits := make([][]float32, n)
	each := len(data) / n
	for i := range logits {
		logits[i] = append([]float32(nil), data[i*each:(i+1)*each]...)
	}
	return logits
}
