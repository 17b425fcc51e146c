package eval

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
)

// prediction is one line of WritePredictions.
type prediction struct {
	File       string   `json:"file"`
	From       float64  `json:"from,omitempty"` // seconds
	To         float64  `json:"to,omitempty"`
	ID         int64    `json:"id,omitempty"`
	Question   string   `json:"question,omitempty"`
	Text       string   `json:"text"`
	Confidence float64  `json:"confidence"`
	References []string `json:"references,omitempty"`
	Groups     []string `json:"groups,omitempty"`
	Scores     *Scores  `json:"scores,omitempty"`
}

// WritePredictions writes one JSON object a line, files relative to the data set's folder.
func WritePredictions(w io.Writer, folder string, ps []*Prediction) error {
	b := bufio.NewWriter(w)
	e := json.NewEncoder(b)
	for _, p := range ps {
		file, err := filepath.Rel(folder, p.File)
		if err != nil {
			return fmt.Errorf("write predictions: %w", err)
		}
		line := prediction{
			File: filepath.ToSlash(file), From: p.From.Seconds(), To: p.To.Seconds(), ID: p.ID, Question: p.Question,
			Text: p.Text, Confidence: p.Confidence, References: p.References, Groups: p.Groups,
		}
		if len(p.References) > 0 {
			line.Scores = &p.Scores
		}
		if err := e.Encode(line); err != nil {
			return fmt.Errorf("write predictions: %w", err)
		}
	}
	return b.Flush()
}

// WriteResults writes the answers as VQAv2's evaluation server takes them:
// [{"question_id":1,"answer":"yes"},...].
func WriteResults(w io.Writer, ps []*Prediction) error {
	type result struct {
		ID     int64  `json:"question_id"`
		Answer string `json:"answer"`
	}
	results := make([]result, len(ps))
	for i, p := range ps {
		results[i] = result{p.ID, p.Text}
	}
	if err := json.NewEncoder(w).Encode(results); err != nil {
		return fmt.Errorf("write results: %w", err)
	}
	return nil
}
