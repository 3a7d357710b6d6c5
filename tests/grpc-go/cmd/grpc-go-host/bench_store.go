package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"kloset-sdk/tests/grpc-go/host"
	"kloset-sdk/tests/grpc-go/pattern"
	"kloset-sdk/tests/grpc-go/wire/store"
)

const packfile = store.StorageResource_STORAGE_RESOURCE_PACKFILE

// benchMAC is the MAC of the object of a number; no two kinds of objects share one.
func benchMAC(family byte, i int64) []byte {
	mac := make([]byte, host.MACSize)
	mac[0] = byte(i * 37) // stores fan out by the first bytes
	mac[1] = family
	binary.BigEndian.PutUint64(mac[24:], uint64(i))
	return mac
}

func (b *bench) startStore(ctx context.Context) (*host.Store, error) {
	return host.StartStore(ctx, b.command, b.flags.proto, b.storeConfig(), b.flags.options(b.streams))
}

func (b *bench) storeConfig() map[string]string {
	if b.real {
		return b.flags.configuration(nil)
	}
	return b.flags.configuration(map[string]string{
		"size": fmt.Sprint(b.size), "macs": fmt.Sprint(b.count), "latency_ms": fmt.Sprint(b.latency.Milliseconds()),
	})
}

// onStore times a work on an open store.
func (b *bench) onStore(ctx context.Context, do func(*host.Store) error) error {
	s, err := b.startStore(ctx)
	if err != nil {
		return err
	}
	_, err = s.Calls.Open(ctx, &store.OpenRequest{})
	if err == nil {
		err = b.timed(func() error { return do(s) })
	}
	err = errors.Join(err, s.Close(ctx))
	b.usage = s.Usage()
	return err
}

func (b *bench) prepare(ctx context.Context) error {
	s, err := b.startStore(ctx)
	if err != nil {
		return err
	}
	if _, err := s.Calls.Create(ctx, &store.CreateRequest{Config: []byte("made by grpc-go-host")}); err != nil {
		return errors.Join(err, s.Close(ctx))
	}
	switch b.name {
	case "put":
	case "parts", "parts-latency":
		_, err = b.put(ctx, s, benchMAC('g', 0))
	default:
		err = b.inParallel(func(i int64) error {
			_, err := b.put(ctx, s, benchMAC('g', i))
			return err
		})
	}
	return errors.Join(err, s.Close(ctx))
}

// put sends an object of whole blocks and a rest.
func (b *bench) put(ctx context.Context, s *host.Store, mac []byte) (int64, error) {
	stream, err := s.BeginPut(ctx, packfile, mac)
	if err != nil {
		return 0, err
	}
	for left := b.size; left > 0; {
		chunk := pattern.Block[:min(left, int64(len(pattern.Block)))]
		if err := stream.Send(&store.PutRequest{Chunk: chunk}); err == io.EOF {
			break
		} else if err != nil {
			return 0, err
		}
		left -= int64(len(chunk))
	}
	answer, err := stream.CloseAndRecv()
	if err != nil {
		return 0, err
	}
	if answer.GetBytesWritten() != b.size {
		return 0, fmt.Errorf("put: %d bytes were written of %d", answer.GetBytesWritten(), b.size)
	}
	return b.size, nil
}

func benchGet(ctx context.Context, b *bench) (moved, error) {
	var total atomic.Int64
	err := b.onStore(ctx, func(s *host.Store) error {
		return b.inParallel(func(i int64) error {
			var size int64
			err := s.Get(ctx, packfile, benchMAC('g', i), nil, func(chunk []byte) error {
				size += int64(len(chunk))
				b.take()
				return nil
			})
			if err == nil && size != b.size {
				err = fmt.Errorf("get: %d bytes came of %d", size, b.size)
			}
			total.Add(size)
			return err
		})
	})
	return moved{bytes: total.Load(), items: b.count}, err
}

// The parts of a packfile: so many bytes each, and so many between two of them.
const partSize, partGap = 4 << 10, 128

// benchParts reads parts of a packfile in the order in which they lie there, as a restore of small files does.
func benchParts(ctx context.Context, b *bench) (moved, error) {
	var total atomic.Int64
	err := b.onStore(ctx, func(s *host.Store) error {
		return b.parts(func(offset uint64) error {
			return s.Get(ctx, packfile, benchMAC('g', 0), &store.Range{Offset: offset, Length: partSize}, func(chunk []byte) error {
				total.Add(int64(len(chunk)))
				b.take()
				return nil
			})
		})
	})
	return b.movedParts(total.Load(), err)
}

// benchPartsLatency reads them out of a store that takes five milliseconds for each call.
func benchPartsLatency(ctx context.Context, b *bench) (moved, error) {
	b.latency = 5 * time.Millisecond
	return benchParts(ctx, b)
}

// parts asks for every part, given where it begins.
func (b *bench) parts(get func(offset uint64) error) error {
	if most := b.size / (partSize + partGap); b.count > most {
		return fmt.Errorf("a packfile of %d bytes has %d parts; ask for fewer, or for a larger one by -size", b.size, most)
	}
	return b.inParallel(func(i int64) error { return get(uint64(i) * (partSize + partGap)) })
}

func (b *bench) movedParts(bytes int64, err error) (moved, error) {
	if err == nil && bytes != b.count*partSize {
		err = fmt.Errorf("parts: %d bytes came of %d", bytes, b.count*partSize)
	}
	return moved{bytes: bytes, items: b.count}, err
}

func benchPut(ctx context.Context, b *bench) (moved, error) {
	var total atomic.Int64
	err := b.onStore(ctx, func(s *host.Store) error {
		return b.inParallel(func(i int64) error {
			n, err := b.put(ctx, s, benchMAC('p', i))
			total.Add(n)
			return err
		})
	})
	return moved{bytes: total.Load(), items: b.count}, err
}

func benchList(ctx context.Context, b *bench) (moved, error) {
	var total moved
	err := b.onStore(ctx, func(s *host.Store) error {
		for range b.rounds {
			macs, err := s.List(ctx, packfile)
			if err != nil {
				return err
			}
			if int64(len(macs)) != b.count {
				return fmt.Errorf("list: %d MACs came of %d", len(macs), b.count)
			}
			total.items += int64(len(macs))
			total.bytes += int64(len(macs)) * host.MACSize
		}
		return nil
	})
	return total, err
}
