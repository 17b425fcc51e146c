package sinktest_test

import (
	"testing"

	"github.com/captiond/captiond/sinks"
	"github.com/captiond/captiond/sinks/sinktest"
)

func TestMemory(t *testing.T) {
	sinktest.Run(t, func(*testing.T) (sinks.Sink, func() []string) {
		m := &sinktest.Memory{}
		return m, func() []string { return sinktest.Texts(m.Events()) }
	})
}
