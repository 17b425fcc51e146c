package nats

import (
	"context"
	"fmt"
)

// Check sees whether the server answers and has JetStream. It waits Options.Wait at most.
func (c *Client) Check(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, c.o.Wait)
	defer cancel()
	err := c.await(limited)
	if err == nil {
		_, err = c.js.AccountInfo(limited)
	}
	switch {
	case err == nil:
		return nil
	case limited.Err() != nil:
		err = c.away(err)
	}
	return fmt.Errorf("check NATS server: %w", err)
}
