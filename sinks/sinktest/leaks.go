package sinktest

import "go.uber.org/goleak"

// NATSLeaks leaves out what nats.go 1.55.0 leaks where an object is put so fast that its publisher
// is cleaned up before its watcher begins: the watcher then waits on no channel, for ever
// (jetstream/publish.go, resetPendingAcksOnReconnect; jetstream.go, cleanupReplySub).
func NATSLeaks() goleak.Option {
	return goleak.IgnoreAnyFunction("github.com/nats-io/nats.go/jetstream.(*jetStream).resetPendingAcksOnReconnect")
}
