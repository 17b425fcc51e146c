// Package micro is the door for clients of NATS: requests on captiond.ask and captiond.caption,
// answered by whichever daemon is free, and found with the tools for NATS services ($SRV).
//
// Who may ask is the NATS server's to say, by its permissions on the subjects: whoever may
// publish a request may ask about every camera and every upload.
//
// A request is JSON, or the bytes of a picture or clip with its questions in the header; what
// is larger than a message lies in an object store. A reply is what the HTTP server would
// answer, or an error by header (Nats-Service-Error, Nats-Service-Error-Code, the status of
// HTTP) with problem JSON for a body.
package micro
