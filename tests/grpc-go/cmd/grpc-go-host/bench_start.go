package main

import (
	"context"
	"time"
)

// benchStart takes the time from the start of a process to the answer of Init, again and again.
func benchStart(ctx context.Context, b *bench) (moved, error) {
	for range b.count {
		start := time.Now()
		s, err := b.startStore(ctx)
		if err != nil {
			return moved{}, err
		}
		b.seconds += time.Since(start).Seconds()
		if err := s.Close(ctx); err != nil {
			return moved{}, err
		}
		usage := s.Usage()
		b.usage.CPU += usage.CPU
		b.usage.PeakRSSKiB = max(b.usage.PeakRSSKiB, usage.PeakRSSKiB)
	}
	return moved{items: b.count}, nil
}
