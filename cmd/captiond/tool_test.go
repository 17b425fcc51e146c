package main

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
)

// A precision that the device is not for is replaced by one that it is, which one line says.
func TestChoosePrecision(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ device, asked, want string }{
		{"cpu", "float32", "float32"},
		{"cpu", "int8", "int8"},
		{"cpu", "float16", "float32"},
		{"cuda", "float32", "float32"},
		{"cuda", "int8", "float16"},
		{"cuda", "float16", "float16"},
	} {
		var log bytes.Buffer
		tool := &tool{log: slog.New(slog.NewTextHandler(&log, nil))}
		tool.config.Model.Precision = c.asked
		tool.choosePrecision(c.device)
		if got := tool.config.Model.Precision; got != c.want {
			t.Errorf("%s on %s becomes %s, want %s", c.asked, c.device, got, c.want)
		}
		says := c.want + " takes the place of " + c.asked
		if lines := strings.Count(log.String(), "\n"); (c.asked == c.want) != (lines == 0) || lines == 1 && !strings.Contains(log.String(), says) {
			t.Errorf("%s on %s is logged as %q", c.asked, c.device, log.String())
		}
	}
}
