package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"sync/atomic"

	"kloset-sdk/tests/grpc-go/host"
	"kloset-sdk/tests/grpc-go/pattern"
	"kloset-sdk/tests/grpc-go/wire/importer10"
	"kloset-sdk/tests/grpc-go/wire/store10"
)

// The works in generation 1.0: the same amounts, by the calls that this generation has for them.

func (b *bench) startStore10(ctx context.Context) (*host.Store10, error) {
	return host.StartStore10(ctx, b.command, b.flags.proto, b.storeConfig(), b.flags.options(b.streams))
}

// onStore10 times a work on an open store.
func (b *bench) onStore10(ctx context.Context, do func(*host.Store10) error) error {
	s, err := b.startStore10(ctx)
	if err != nil {
		return err
	}
	_, err = s.Calls.Open(ctx, &store10.OpenRequest{Cookie: s.Cookie})
	if err == nil {
		err = b.timed(func() error { return do(s) })
	}
	err = errors.Join(err, s.Close(ctx))
	b.usage = s.Usage()
	return err
}

func (b *bench) prepare10(ctx context.Context) error {
	s, err := b.startStore10(ctx)
	if err != nil {
		return err
	}
	_, err = s.Calls.Create(ctx, &store10.CreateRequest{Config: []byte("made by grpc-go-host"), Cookie: s.Cookie})
	switch {
	case err != nil, b.name == "put":
	case b.name == "parts":
		_, err = b.put10(ctx, s, benchMAC('g', 0))
	default:
		err = b.inParallel(func(i int64) error {
			_, err := b.put10(ctx, s, benchMAC('g', i))
			return err
		})
	}
	return errors.Join(err, s.Close(ctx))
}

// blocks sends content of the size of an object, until the call has ended.
func (b *bench) blocks(send func(chunk []byte) error) error {
	for left := b.size; left > 0; {
		chunk := pattern.Block[:min(left, int64(len(pattern.Block)))]
		if err := send(chunk); err == io.EOF {
			return nil // the answer tells why
		} else if err != nil {
			return err
		}
		left -= int64(len(chunk))
	}
	return nil
}

func (b *bench) put10(ctx context.Context, s *host.Store10, mac []byte) (int64, error) {
	put, err := s.BeginPut(ctx, host.Packfile10, mac)
	if err != nil {
		return 0, err
	}
	if err := b.blocks(put.Send); err != nil {
		return 0, err
	}
	written, err := put.End()
	if err == nil && written != b.size {
		err = fmt.Errorf("put: %d bytes were written of %d", written, b.size)
	}
	return written, err
}

func benchGet10(ctx context.Context, b *bench) (moved, error) {
	var total atomic.Int64
	err := b.onStore10(ctx, func(s *host.Store10) error {
		return b.inParallel(func(i int64) error {
			var size int64
			err := s.Get(ctx, host.Packfile10, benchMAC('g', i), func(chunk []byte) error {
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

func benchParts10(ctx context.Context, b *bench) (moved, error) {
	var total atomic.Int64
	err := b.onStore10(ctx, func(s *host.Store10) error {
		return b.parts(func(offset uint64) error {
			return s.GetBlob(ctx, benchMAC('g', 0), offset, partSize, func(chunk []byte) error {
				total.Add(int64(len(chunk)))
				b.take()
				return nil
			})
		})
	})
	return b.movedParts(total.Load(), err)
}

func benchPut10(ctx context.Context, b *bench) (moved, error) {
	var total atomic.Int64
	err := b.onStore10(ctx, func(s *host.Store10) error {
		return b.inParallel(func(i int64) error {
			n, err := b.put10(ctx, s, benchMAC('p', i))
			total.Add(n)
			return err
		})
	})
	return moved{bytes: total.Load(), items: b.count}, err
}

func benchList10(ctx context.Context, b *bench) (moved, error) {
	var total moved
	err := b.onStore10(ctx, func(s *host.Store10) error {
		for range b.rounds {
			macs, err := s.List(ctx, host.Packfile10)
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

// onImporter10 times a whole Scan, with as many workers as there are streams.
func (b *bench) onImporter10(ctx context.Context, config map[string]string, visit func(context.Context, *host.Importer10, *importer10.ScanResponse) error) error {
	i, err := host.StartImporter10(ctx, b.command, b.flags.proto, b.flags.configuration(config), b.flags.options(b.streams))
	if err != nil {
		return err
	}
	failures := 0
	err = b.timed(func() error {
		var err error
		failures, err = i.Read(ctx, b.streams, func(ctx context.Context, found *importer10.ScanResponse) error {
			return visit(ctx, i, found)
		})
		return err
	})
	if err == nil && failures > 0 {
		err = fmt.Errorf("%d files could not be read", failures)
	}
	err = errors.Join(err, i.Close(ctx))
	b.usage = i.Usage()
	return err
}

// benchOpen10 reads the content of every file while Scan runs, and closes its reader.
func benchOpen10(ctx context.Context, b *bench) (moved, error) {
	return b.open10(ctx, (*host.Importer10).Content)
}

// benchOpenAlone10 leaves the readers open: OpenReader is all that is measured, as Open is in generation 1.1.
func benchOpenAlone10(ctx context.Context, b *bench) (moved, error) {
	return b.open10(ctx, (*host.Importer10).Open)
}

func (b *bench) open10(ctx context.Context, read func(i *host.Importer10, ctx context.Context, pathname string, take func([]byte) error) error) (moved, error) {
	config := map[string]string{"files": fmt.Sprint(b.count), "size": fmt.Sprint(b.size)}
	if b.real {
		config = nil
	}
	var files, total atomic.Int64
	err := b.onImporter10(ctx, config, func(ctx context.Context, i *host.Importer10, found *importer10.ScanResponse) error {
		if found.GetRecord() == nil || !fs.FileMode(found.GetRecord().GetFileinfo().GetMode()).IsRegular() {
			return nil
		}
		files.Add(1)
		return read(i, ctx, found.GetPathname(), func(chunk []byte) error {
			total.Add(int64(len(chunk)))
			b.take()
			return nil
		})
	})
	if err == nil && !b.real && total.Load() != b.count*b.size {
		err = fmt.Errorf("open: %d bytes came of %d", total.Load(), b.count*b.size)
	}
	return moved{bytes: total.Load(), items: files.Load()}, err
}

// benchScan10 reads a Scan and opens nothing, as a backup of unchanged files does. No reader is closed, either.
func benchScan10(ctx context.Context, b *bench) (moved, error) {
	config := map[string]string{"records": fmt.Sprint(b.count)}
	if b.real {
		config = nil
	}
	var records atomic.Int64
	err := b.onImporter10(ctx, config, func(context.Context, *host.Importer10, *importer10.ScanResponse) error {
		records.Add(1)
		b.take()
		return nil
	})
	if err == nil && !b.real && records.Load() < b.count {
		err = fmt.Errorf("import: %d records came of %d", records.Load(), b.count)
	}
	return moved{items: records.Load()}, err
}

// benchExport10 sends a folder of files, each by its three calls.
func benchExport10(ctx context.Context, b *bench) (moved, error) {
	e, err := host.StartExporter10(ctx, b.command, b.flags.proto, b.flags.configuration(nil), b.flags.options(b.streams))
	if err != nil {
		return moved{}, err
	}
	folder := path.Join(e.Root, "f")
	err = b.timed(func() error {
		if err := e.CreateDirectory(ctx, folder); err != nil {
			return err
		}
		if err := b.inParallel(func(i int64) error { return b.file10(ctx, e, folder, i) }); err != nil {
			return err
		}
		return e.SetPermissions(ctx, folder, madeUpRecord("/f", fs.ModeDir|0o755, 0).GetFileInfo())
	})
	err = errors.Join(err, e.Close(ctx))
	b.usage = e.Usage()
	return moved{bytes: b.count * b.size, items: b.count}, err
}

func (b *bench) file10(ctx context.Context, e *host.Exporter10, folder string, i int64) error {
	name := fmt.Sprintf("%07d", i)
	if err := e.CreateDirectory(ctx, folder); err != nil {
		return err
	}
	stream, err := e.BeginFile(ctx, path.Join(folder, name), b.size)
	if err != nil {
		return err
	}
	if err := b.blocks(func(chunk []byte) error { return e.SendContent(stream, chunk) }); err != nil {
		return err
	}
	if _, err := stream.CloseAndRecv(); err != nil {
		return err
	}
	return e.SetPermissions(ctx, path.Join(folder, name), madeUpRecord(name, 0o644, b.size).GetFileInfo())
}
