// Package live is the way of a camera's frames: from access units to events.
//
//	Connection --units--> backlog --> feed --> decoder's child --> watch --> inbox --> speak --> Emit
//
// Four goroutines attend to a camera that plays: one reads units, one feeds them to the
// decoder, one watches what is seen (it finds gaps, cuts and epochs, and says which windows
// are complete) and one speaks (it encodes, generates and emits). Between them are two
// bounded queues, the backlog and the inbox; where either is full the newest wins, and what
// is dropped is counted. No camera shares anything with another but the model's turns (Load)
// and the memory of the Ring. What has come to wait for the same model while it was busy goes
// through it side by side; nobody waits for company.
//
// It is pure Go and knows neither RTSP nor FFmpeg: what it needs of them is declared here.
package live
