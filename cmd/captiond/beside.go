package main

import (
	"context"
	"sync"
)

// beside runs things in goroutines of their own while use runs; then it ends them, and waits.
func beside(ctx context.Context, use func() error, things ...func(context.Context)) error {
	running, end := context.WithCancel(ctx)
	var working sync.WaitGroup
	for _, run := range things {
		working.Go(func() { run(running) })
	}
	defer working.Wait()
	defer end()
	return use()
}
