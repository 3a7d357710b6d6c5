package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"kloset-sdk/tests/grpc-go/host"
	"kloset-sdk/tests/grpc-go/wire/connectors"
)

// onImporter times a whole Import, with as many workers as there are streams.
func (b *bench) onImporter(ctx context.Context, config map[string]string, visit func(context.Context, *host.Importer, *connectors.Record) error) error {
	i, err := host.StartImporter(ctx, b.command, b.flags.proto, b.flags.configuration(config), b.flags.options(b.streams))
	if err != nil {
		return err
	}
	err = b.timed(func() error {
		return i.Read(ctx, b.streams, func(ctx context.Context, record *connectors.Record) error {
			return visit(ctx, i, record)
		})
	})
	err = errors.Join(err, i.Close(ctx))
	b.usage = i.Usage()
	return err
}

// benchOpen reads the content of every file while Import runs.
func benchOpen(ctx context.Context, b *bench) (moved, error) {
	return b.open(ctx, map[string]string{"files": fmt.Sprint(b.count), "size": fmt.Sprint(b.size)})
}

// benchOpenLatency reads them from a source that takes five milliseconds for each.
func benchOpenLatency(ctx context.Context, b *bench) (moved, error) {
	return b.open(ctx, map[string]string{"files": fmt.Sprint(b.count), "size": fmt.Sprint(b.size), "latency_ms": "5"})
}

func (b *bench) open(ctx context.Context, config map[string]string) (moved, error) {
	if b.real {
		config = nil
	}
	var files, total, failures atomic.Int64
	err := b.onImporter(ctx, config, func(ctx context.Context, i *host.Importer, record *connectors.Record) error {
		if !record.GetHasReader() {
			return nil
		}
		files.Add(1)
		err := i.Content(ctx, record, func(chunk []byte) error {
			total.Add(int64(len(chunk)))
			b.take()
			return nil
		})
		if err != nil {
			failures.Add(1)
		}
		return err
	})
	if err == nil && failures.Load() > 0 {
		err = fmt.Errorf("%d files could not be read", failures.Load())
	}
	if err == nil && !b.real && total.Load() != b.count*b.size {
		err = fmt.Errorf("open: %d bytes came of %d", total.Load(), b.count*b.size)
	}
	return moved{bytes: total.Load(), items: files.Load()}, err
}

// benchImport acknowledges records and opens none, as a backup of unchanged files does.
func benchImport(ctx context.Context, b *bench) (moved, error) {
	config := map[string]string{"records": fmt.Sprint(b.count)}
	if b.real {
		config = nil
	}
	var records atomic.Int64
	err := b.onImporter(ctx, config, func(context.Context, *host.Importer, *connectors.Record) error {
		records.Add(1)
		b.take()
		return nil
	})
	if err == nil && !b.real && records.Load() < b.count {
		err = fmt.Errorf("import: %d records came of %d", records.Load(), b.count)
	}
	return moved{items: records.Load()}, err
}
