package sandbox

import (
	"fmt"

	"github.com/landlock-lsm/go-landlock/landlock"
	ll "github.com/landlock-lsm/go-landlock/landlock/syscall"
)

// newestLandlock is the newest ABI whose restrictions are all asked for.
const newestLandlock = 11

// forbidPaths allows no path, no port and no process outside, as far as the kernel can, and
// returns the ABI in force: 0 where there is none.
func forbidPaths() (int, error) {
	abi, err := ll.LandlockGetABIVersion()
	if err != nil {
		return 0, nil //nolint:nilerr // no Landlock in this kernel, or switched off: seccomp stands alone
	}
	if err := landlock.V11.BestEffort().Restrict(); err != nil {
		return 0, fmt.Errorf("enter landlock: %w", err)
	}
	return min(abi, newestLandlock), nil
}
