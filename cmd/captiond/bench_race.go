package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/captiond/captiond/model/bench"
	"github.com/captiond/captiond/model/bench/peers"
	"github.com/captiond/captiond/model/checkpoint"
	"github.com/captiond/captiond/model/graph"
	"github.com/captiond/captiond/model/wordpiece"
)

// race measures captiond's precisions, and the peers where there are any.
func (b benchmark) race(ctx context.Context) (err error) {
	var record bench.Record
	var others []bench.Peer
	verify := func() (*peers.Check, error) { return nil, nil } // nobody to verify
	if device := b.runtime.Device(); b.python != "" && device != "cpu" {
		b.tool.log.Warn("the peers stay out: they run on the cpu", "device", device)
	} else if b.python != "" {
		p, err := b.startPeers(ctx)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, p.Close()) }()
		record.Peers, others = &p.About, b.others(p)
		verify = p.Verify
	}
	var plans []bench.Plan
	for _, p := range b.precisions() {
		plans = append(plans, b.plan(p))
	}
	b.tool.log.Info("measuring", "rounds", b.rounds)
	if record.Reports, record.Lines, err = bench.Race(ctx, plans, others); err != nil {
		return err
	}
	if record.Check, err = verify(); err != nil {
		return err
	}
	return b.publish(record)
}

// precisions are those worth comparing on the device.
func (b benchmark) precisions() []graph.Precision {
	if b.runtime.Device() == "cpu" {
		return []graph.Precision{graph.Float32, graph.Int8}
	}
	return []graph.Precision{graph.Float32, graph.Float16}
}

// startPeers gives them the same weights, threads, tokens and question.
func (b benchmark) startPeers(ctx context.Context) (*peers.Peers, error) {
	if b.frames != b.shape.Frames {
		return nil, usageError{fmt.Errorf("--frames %d: the peers look at %d", b.frames, b.shape.Frames)}
	}
	prompt, err := b.promptTokens()
	if err != nil {
		return nil, err
	}
	b.tool.log.Info("starting the peers: several ways of each are tried, which takes minutes")
	return peers.Start(ctx, peers.Options{
		Python: b.python, Folder: b.folder, Threads: b.threads(), Tokens: b.tokens, Prompt: prompt, ISA: b.isa, Errors: b.tool.streams.err,
	})
}

// promptTokens are those of the shape's question.
func (b benchmark) promptTokens() ([]int64, error) {
	c, err := checkpoint.Load(b.folder)
	if err != nil {
		return nil, err
	}
	vocabulary, err := wordpiece.New(wordpiece.Files(c.Tokenizer))
	if err != nil {
		return nil, err
	}
	return vocabulary.Encode(b.shape.Prompt), nil
}

// others are the peers as they take part in the race.
func (b benchmark) others(p *peers.Peers) (others []bench.Peer) {
	for _, name := range p.About.Names() {
		rounds := b.rounds
		if name == peers.Transformers {
			rounds = b.generate
		}
		others = append(others, bench.Peer{Name: name, Rounds: rounds, Run: func(context.Context) (float64, error) { return p.Run(name) }})
	}
	return others
}

// publish prints the record and puts it where it is kept.
func (b benchmark) publish(r bench.Record) error {
	table := r.Table()
	var errs []error
	if b.record != "" {
		errs = append(errs, r.Append(filepath.Join(b.record, b.shape.Name+".jsonl")))
	}
	if b.document != "" {
		errs = append(errs, bench.Document(b.document, b.shape.Name, table))
	}
	if b.headline != "" {
		errs = append(errs, bench.Document(b.headline, "headline", r.Headline()))
	}
	if b.format == "json" {
		return errors.Join(append(errs, json.NewEncoder(b.tool.streams.out).Encode(r))...)
	}
	_, err := fmt.Fprint(b.tool.streams.out, table)
	return errors.Join(append(errs, err)...)
}
