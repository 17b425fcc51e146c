//go:build !linux || !amd64

package graph

func tiles() bool { return false }
