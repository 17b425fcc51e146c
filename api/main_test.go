package api_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/captiond/captiond/sinks/sinktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, sinktest.NATSLeaks()) }
