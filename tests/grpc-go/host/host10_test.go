package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"kloset-sdk/tests/grpc-go/pattern"
	"kloset-sdk/tests/grpc-go/wire/connectors"
	"kloset-sdk/tests/grpc-go/wire/importer10"
)

func peer10(role string) []string { return append([]string{peer, role}, Arguments10...) }

func peerImporter10(t *testing.T, ctx context.Context, config map[string]string) *Importer10 {
	t.Helper()
	i, err := StartImporter10(ctx, peer10("importer"), "bench", Config("bench", "/", config), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { i.End() })
	return i
}

func peerExporter10(t *testing.T, ctx context.Context) *Exporter10 {
	t.Helper()
	e, err := StartExporter10(ctx, peer10("exporter"), "bench", Config("bench", "/", nil), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.End() })
	return e
}

func peerStore10(t *testing.T, ctx context.Context, config map[string]string) *Store10 {
	t.Helper()
	s, err := StartStore10(ctx, peer10("store"), "bench", Config("bench", "/", config), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.End() })
	return s
}

func Test_on_1_0_an_importer_is_read_completely_whatever_the_number_of_workers(t *testing.T) {
	const files, size = 200, 1<<20 + 17
	want := madeUp(size)
	for _, workers := range []int{1, 8} {
		t.Run(fmt.Sprint(workers, " at once"), func(t *testing.T) {
			ctx := guarded(t)
			i := peerImporter10(t, ctx, map[string]string{"files": fmt.Sprint(files), "size": fmt.Sprint(size), "records": "3000"})
			var records, opened atomic.Int64
			failures, err := i.Read(ctx, workers, func(ctx context.Context, found *importer10.ScanResponse) error {
				records.Add(1)
				if found.GetRecord().GetFileinfo().GetSize() == 0 {
					return nil
				}
				opened.Add(1)
				var content []byte
				err := i.Content(ctx, found.GetPathname(), func(chunk []byte) error { content = append(content, chunk...); return nil })
				if err == nil && !bytes.Equal(content, want) {
					err = errors.New("the content differs")
				}
				if err != nil {
					t.Errorf("%s: %v", found.GetPathname(), err)
				}
				return err
			})
			if err != nil || failures > 0 {
				t.Fatalf("%d failures, %v", failures, err)
			}
			if records.Load() != 3+files+3000 || opened.Load() != files {
				t.Errorf("%d records, %d opened", records.Load(), opened.Load())
			}
			if err := i.Content(ctx, "/f/0000000", func([]byte) error { return nil }); err == nil {
				t.Error("a reader that was closed was opened again")
			}
			if err := i.Close(ctx); err != nil {
				t.Error(err)
			}
		})
	}
}

func Test_on_1_0_an_error_of_Init_is_returned_and_the_process_is_gone(t *testing.T) {
	config := Config("bench", "/", map[string]string{"files": "many"})
	_, err := StartImporter10(guarded(t), peer10("importer"), "bench", config, Options{})
	if err == nil || !strings.Contains(err.Error(), `option files: "many" is not a number`) {
		t.Errorf("Init said %v", err)
	}
}

func Test_on_1_0_a_tree_is_restored_and_nothing_fails(t *testing.T) {
	ctx := guarded(t)
	folder := t.TempDir()
	for i := range 50 {
		name := filepath.Join(folder, fmt.Sprint("sub", i%3), fmt.Sprint(i))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, madeUp(i*50_000), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Symlink("sub0/0", filepath.Join(folder, "link")), os.Link(filepath.Join(folder, "sub0/0"), filepath.Join(folder, "hard"))); err != nil {
		t.Fatal(err)
	}
	records, err := Tree(folder, false)
	if err != nil {
		t.Fatal(err)
	}
	e := peerExporter10(t, ctx)
	var opened atomic.Int64
	failed := e.Restore(ctx, 4, records, func(record *connectors.Record) (io.ReadCloser, error) {
		opened.Add(1)
		return os.Open(filepath.Join(folder, record.GetPathname()))
	})
	if len(failed) > 0 || opened.Load() != 50 {
		t.Errorf("%d files were sent, %v", opened.Load(), failed)
	}
	if err := e.Close(ctx); err != nil {
		t.Error(err)
	}
}

func Test_on_1_0_a_file_that_breaks_off_is_shorter_than_announced(t *testing.T) {
	ctx := guarded(t)
	e := peerExporter10(t, ctx)
	broken := errors.New("the host cannot read on")
	content := io.MultiReader(bytes.NewReader(madeUp(3<<20)), errorReader{broken})
	if err := e.StoreFile(ctx, "/cut", 10<<20, content); !errors.Is(err, broken) {
		t.Errorf("StoreFile said %v", err)
	}
	stream, err := e.BeginFile(ctx, "/cut", 10<<20)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.CloseAndRecv(); status.Code(err) != codes.DataLoss {
		t.Errorf("the exporter said %v", err)
	}
}

func Test_on_1_0_a_store_gives_whole_objects_and_parts_of_them(t *testing.T) {
	ctx := guarded(t)
	const size = 5<<20 + 3
	s := peerStore10(t, ctx, map[string]string{"size": fmt.Sprint(size), "macs": "1000"})
	content := madeUp(size)
	mac := make([]byte, MACSize)
	var have []byte
	take := func(chunk []byte) error { have = append(have, chunk...); return nil }
	for _, kind := range []Kind10{State10, Packfile10, Lock10} {
		have = nil
		if err := s.Get(ctx, kind, mac, take); err != nil || !bytes.Equal(have, content) {
			t.Errorf("%s: %d bytes, %v", kind, len(have), err)
		}
		if macs, err := s.List(ctx, kind); err != nil || len(macs) != 1000 {
			t.Errorf("%s: %d MACs, %v", kind, len(macs), err)
		}
		if n, err := s.Put(ctx, kind, mac, bytes.NewReader(content)); err != nil || n != size {
			t.Errorf("%s: %d bytes written, %v", kind, n, err)
		}
		if _, err := s.Put(ctx, kind, []byte("short"), bytes.NewReader(madeUp(64<<20))); status.Code(err) != codes.InvalidArgument {
			t.Errorf("%s: a short MAC: %v", kind, err)
		}
		if err := s.Delete(ctx, kind, mac); err != nil {
			t.Error(err)
		}
	}
	for _, part := range []struct {
		offset     uint64
		length     uint32
		start, end int
	}{
		{0, 10, 0, 10},
		{1<<20 - 5, 10, 1<<20 - 5, 1<<20 + 5},
		{size - 3, 10, size - 3, size},
		{1 << 40, 10, size, size},
		{7, 0, 7, 7},
	} {
		have = nil
		if err := s.GetBlob(ctx, mac, part.offset, part.length, take); err != nil || !bytes.Equal(have, content[part.start:part.end]) {
			t.Errorf("%v: %d bytes, %v", part, len(have), err)
		}
	}
	if err := s.Close(ctx); err != nil {
		t.Error(err)
	}
}

func Test_on_1_0_many_puts_and_gets_go_on_at_once_beside_one_that_was_abandoned(t *testing.T) {
	ctx := guarded(t)
	const size = 4 << 20
	s := peerStore10(t, ctx, map[string]string{"size": fmt.Sprint(size)})
	abandoned, err := s.BeginPut(ctx, Packfile10, make([]byte, MACSize))
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := abandoned.Send(pattern.Block); err != nil {
			t.Fatal(err)
		}
	}
	var all sync.WaitGroup
	for i := range 8 {
		mac := bytes.Repeat([]byte{byte(i)}, MACSize)
		all.Go(func() {
			if n, err := s.Put(ctx, Packfile10, mac, bytes.NewReader(madeUp(size))); err != nil || n != size {
				t.Errorf("put: %d bytes, %v", n, err)
			}
		})
		all.Go(func() {
			total := 0
			err := s.Get(ctx, Packfile10, mac, func(chunk []byte) error { total += len(chunk); return nil })
			if err != nil || total != size {
				t.Errorf("get: %d bytes, %v", total, err)
			}
		})
	}
	all.Wait()
}
