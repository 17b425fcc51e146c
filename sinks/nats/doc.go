// Package nats puts events on NATS and reads them back, and runs a NATS server inside
// the process.
//
// Client publishes into a JetStream stream that it creates where there is none, with
// the event's id as Nats-Msg-Id, and waits for the acknowledgement. Watch follows the
// stream across disconnects without a gap. Server is the embedded broker. The job queue
// and the request/reply services are not here.
//
// Publish and Close are for one goroutine; the other methods of Client, and those of
// Server, are safe for concurrent use.
package nats
