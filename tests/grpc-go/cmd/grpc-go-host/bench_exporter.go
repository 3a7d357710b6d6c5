package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"kloset-sdk/tests/grpc-go/host"
	"kloset-sdk/tests/grpc-go/pattern"
	"kloset-sdk/tests/grpc-go/wire/connectors"
)

// madeUpRecord is a record of a tree that does not exist.
func madeUpRecord(pathname string, mode fs.FileMode, size int64) *connectors.Record {
	return &connectors.Record{
		HasReader: mode.IsRegular(),
		Pathname:  pathname,
		FileInfo: &connectors.FileInfo{
			Name: path.Base(pathname), Size: size, Mode: uint32(mode), ModTime: timestamppb.New(time.Unix(1_700_000_000, 0)),
			Uid: uint64(os.Getuid()), Gid: uint64(os.Getgid()), Nlink: 1,
		},
	}
}

// benchExport sends a folder of files.
func benchExport(ctx context.Context, b *bench) (moved, error) {
	return b.export(ctx, nil)
}

// benchExportLatency sends one to a destination that takes five milliseconds for a file.
func benchExportLatency(ctx context.Context, b *bench) (moved, error) {
	return b.export(ctx, map[string]string{"latency_ms": "5"})
}

func (b *bench) export(ctx context.Context, config map[string]string) (moved, error) {
	e, err := host.StartExporter(ctx, b.command, b.flags.proto, b.flags.configuration(config), b.flags.options(b.streams))
	if err != nil {
		return moved{}, err
	}
	var results []*connectors.Result
	err = b.timed(func() error {
		results, err = e.Export(ctx, b.feed)
		return err
	})
	err = errors.Join(err, e.Close(ctx))
	b.usage = e.Usage()
	if err != nil {
		return moved{}, err
	}
	for _, result := range results {
		if result.GetError() != "" {
			return moved{}, fmt.Errorf("export: %s: %s", result.GetHeader().GetPathname(), result.GetError())
		}
	}
	if sent := b.count + 2; int64(len(results)) != sent {
		return moved{}, fmt.Errorf("export: %d results came for %d records", len(results), sent)
	}
	return moved{bytes: b.count * b.size, items: b.count}, nil
}

func (b *bench) feed(feed *host.Feed) error {
	for _, folder := range []string{"/", "/f"} {
		if err := feed.Entry(madeUpRecord(folder, fs.ModeDir|0o755, 0)); err != nil {
			return err
		}
	}
	for i := range b.count {
		if err := feed.Entry(madeUpRecord(fmt.Sprintf("/f/%07d", i), 0o644, b.size)); err != nil {
			return err
		}
		for left := b.size; left > 0; {
			chunk := pattern.Block[:min(left, int64(len(pattern.Block)))]
			if err := feed.Chunk(chunk); err != nil {
				return err
			}
			left -= int64(len(chunk))
		}
		if err := feed.Chunk(nil); err != nil {
			return err
		}
	}
	return nil
}
