package host

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"kloset-sdk/tests/grpc-go/pattern"
	"kloset-sdk/tests/grpc-go/wire/connectors"
	"kloset-sdk/tests/grpc-go/wire/importer"
	"kloset-sdk/tests/grpc-go/wire/store"
)

const packfile = store.StorageResource_STORAGE_RESOURCE_PACKFILE

var peer string // the peer's executable

func TestMain(m *testing.M) { os.Exit(withPeer(m)) }

func withPeer(m *testing.M) int {
	folder, err := os.MkdirTemp("", "peer")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(folder)
	peer = filepath.Join(folder, "peer")
	if output, err := exec.Command("go", "build", "-o", peer, "../peer").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "the peer does not build: %v\n%s", err, output)
		return 1
	}
	return m.Run()
}

// guarded is a context that ends a test which hangs.
func guarded(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func peerImporter(t *testing.T, ctx context.Context, config map[string]string) *Importer {
	t.Helper()
	i, err := StartImporter(ctx, []string{peer, "importer"}, "bench", Config("bench", "/", config), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { i.End() })
	return i
}

func peerStore(t *testing.T, ctx context.Context, config map[string]string) *Store {
	t.Helper()
	s, err := StartStore(ctx, []string{peer, "store"}, "bench", Config("bench", "/", config), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.End() })
	return s
}

func madeUp(size int) []byte {
	return bytes.Repeat(pattern.Block, size/len(pattern.Block)+1)[:size]
}

func Test_an_importer_is_read_completely_whatever_the_number_of_workers(t *testing.T) {
	const files, size = 200, 1<<20 + 17
	want := sha256.Sum256(madeUp(size))
	for _, workers := range []int{1, 8} {
		t.Run(fmt.Sprint(workers, " at once"), func(t *testing.T) {
			ctx := guarded(t)
			i := peerImporter(t, ctx, map[string]string{"files": fmt.Sprint(files), "size": fmt.Sprint(size), "records": "1000"})
			var records, opened atomic.Int64
			err := i.Read(ctx, workers, func(ctx context.Context, record *connectors.Record) error {
				records.Add(1)
				if record.GetFileInfo().GetSize() == 0 {
					return nil
				}
				opened.Add(1)
				sum := sha256.New()
				err := i.Content(ctx, record, func(chunk []byte) error { sum.Write(chunk); return nil })
				if err == nil && !bytes.Equal(sum.Sum(nil), want[:]) {
					err = errors.New("the content differs")
				}
				if err != nil {
					t.Errorf("%s: %v", record.GetPathname(), err)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			if records.Load() != 3+files+1000 || opened.Load() != files {
				t.Errorf("%d records, %d opened", records.Load(), opened.Load())
			}
			if err := i.Close(ctx); err != nil {
				t.Error(err)
			}
		})
	}
}

func Test_a_failing_visit_is_told_to_the_connector_and_the_import_goes_on(t *testing.T) {
	ctx := guarded(t)
	i := peerImporter(t, ctx, map[string]string{"records": "100"})
	visits := 0
	err := i.Read(ctx, 1, func(context.Context, *connectors.Record) error {
		visits++
		return errors.New("no")
	})
	if err != nil || visits != 103 {
		t.Errorf("%d visits, %v", visits, err)
	}
}

func Test_an_open_that_is_cancelled_half_way_harms_no_other(t *testing.T) {
	ctx := guarded(t)
	i := peerImporter(t, ctx, map[string]string{"files": "20", "size": fmt.Sprint(64 << 20)})
	var complete int64
	err := i.Read(ctx, 1, func(ctx context.Context, record *connectors.Record) error {
		if !record.GetHasReader() {
			return nil
		}
		if record.GetPathname() == "/f/0000019" {
			return i.Content(ctx, record, func(chunk []byte) error { complete += int64(len(chunk)); return nil })
		}
		stop, cancel := context.WithCancel(ctx)
		defer cancel()
		stream, err := i.Calls.Open(stop, OpenRequest(record))
		if err != nil {
			return err
		}
		if _, err := stream.Recv(); err != nil {
			t.Error(err)
		}
		cancel()
		for err == nil {
			_, err = stream.Recv()
		}
		if status.Code(err) != codes.Canceled {
			t.Errorf("a cancelled Open ended with %v", err)
		}
		return err
	})
	if err != nil || complete != 64<<20 {
		t.Errorf("%d bytes, %v", complete, err)
	}
	if err := i.Close(ctx); err != nil {
		t.Error(err)
	}
}

func Test_an_error_of_Init_is_returned_and_the_process_is_gone(t *testing.T) {
	_, err := StartImporter(guarded(t), []string{peer, "importer"}, "bench", Config("bench", "/", map[string]string{"files": "many"}), Options{})
	if err == nil || !strings.Contains(err.Error(), `option files: "many" is not a number`) {
		t.Errorf("Init said %v", err)
	}
}

func Test_an_Init_without_options_is_answered_with_an_error(t *testing.T) {
	ctx := guarded(t)
	p, err := Start([]string{peer, "importer"}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = importer.NewImporterClient(p.Client).Init(ctx, &importer.InitRequest{Config: Config("bench", "/", nil)})
	if status.Code(err) != codes.InvalidArgument {
		t.Errorf("Init said %v", err)
	}
	if err := p.End(); err != nil {
		t.Error(err)
	}
}

func Test_an_executable_that_does_not_exist_is_an_error(t *testing.T) {
	if _, err := Start([]string{filepath.Join(t.TempDir(), "absent")}, Options{}); err == nil {
		t.Error("it was started")
	}
}

func Test_a_process_that_stays_after_the_end_of_its_stdin_is_killed_and_reported(t *testing.T) {
	p, err := Start([]string{"sleep", "1000"}, Options{ExitTimeout: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.End(); err == nil || !strings.Contains(err.Error(), "was killed") {
		t.Errorf("End said %v", err)
	}
}

func Test_calls_to_a_process_that_was_killed_fail(t *testing.T) {
	ctx := guarded(t)
	s := peerStore(t, ctx, nil)
	s.Kill()
	if _, err := s.List(ctx, packfile); err == nil {
		t.Error("List succeeded")
	}
	if err := s.End(); err == nil {
		t.Error("End was content")
	}
}

func Test_an_exporter_gives_a_result_for_each_record(t *testing.T) {
	ctx := guarded(t)
	folder := t.TempDir()
	for i := range 50 {
		if err := os.WriteFile(filepath.Join(folder, fmt.Sprint(i)), madeUp(i*50_000), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	records, err := Tree(folder, false)
	if err != nil {
		t.Fatal(err)
	}
	e, err := StartExporter(ctx, []string{peer, "exporter"}, "bench", Config("bench", "/", nil), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.End()
	results, err := e.Export(ctx, func(feed *Feed) error {
		for _, record := range records {
			if !record.GetHasReader() {
				if err := feed.Entry(record); err != nil {
					return err
				}
				continue
			}
			file, err := os.Open(filepath.Join(folder, record.GetPathname()))
			if err != nil {
				return err
			}
			err = feed.File(record, file)
			file.Close()
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := OneResultEach(records, results); err != nil {
		t.Error(err)
	}
	for _, result := range results {
		if result.GetError() != "" {
			t.Errorf("%s: %s", result.GetHeader().GetPathname(), result.GetError())
		}
	}
	if err := e.Close(ctx); err != nil {
		t.Error(err)
	}
}

func Test_a_missing_result_and_one_too_many_are_found(t *testing.T) {
	a, b := &connectors.Record{Pathname: "/a"}, &connectors.Record{Pathname: "/b"}
	result := func(r *connectors.Record) *connectors.Result { return &connectors.Result{Header: r} }
	sent := []*connectors.Record{a, b}
	if err := OneResultEach(sent, []*connectors.Result{result(b), result(a)}); err != nil {
		t.Error(err)
	}
	if OneResultEach(sent, []*connectors.Result{result(a)}) == nil {
		t.Error("a missing result was not found")
	}
	if OneResultEach(sent, []*connectors.Result{result(a), result(b), result(b)}) == nil {
		t.Error("a second result was not found")
	}
}

func Test_an_export_that_breaks_off_in_a_file_makes_that_file_fail(t *testing.T) {
	ctx := guarded(t)
	e, err := StartExporter(ctx, []string{peer, "exporter"}, "bench", Config("bench", "/", nil), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.End()
	broken := errors.New("the disk is gone")
	results, err := e.Export(ctx, func(feed *Feed) error {
		content := io.MultiReader(bytes.NewReader(madeUp(3<<20)), errorReader{broken})
		return feed.File(&connectors.Record{Pathname: "/cut", HasReader: true, FileInfo: &connectors.FileInfo{Name: "cut", Size: 10 << 20}}, content)
	})
	if !errors.Is(err, broken) {
		t.Errorf("Export said %v", err)
	}
	if len(results) != 1 || results[0].GetError() == "" {
		t.Errorf("the results are %v", results)
	}
}

type errorReader struct{ err error }

func (e errorReader) Read([]byte) (int, error) { return 0, e.err }

func Test_a_store_gives_whole_objects_and_parts_of_them(t *testing.T) {
	ctx := guarded(t)
	const size = 5<<20 + 3
	s := peerStore(t, ctx, map[string]string{"size": fmt.Sprint(size), "macs": "1000"})
	content := madeUp(size)
	for _, c := range []struct {
		part       *store.Range
		start, end int
	}{
		{nil, 0, size},
		{&store.Range{Offset: 0, Length: 10}, 0, 10},
		{&store.Range{Offset: 1<<20 - 5, Length: 10}, 1<<20 - 5, 1<<20 + 5},
		{&store.Range{Offset: size - 3, Length: 10}, size - 3, size},
		{&store.Range{Offset: size, Length: 10}, size, size},
		{&store.Range{Offset: 1 << 40, Length: 10}, size, size},
		{&store.Range{Offset: 7, Length: 0}, 7, 7},
	} {
		var have []byte
		err := s.Get(ctx, packfile, make([]byte, MACSize), c.part, func(chunk []byte) error { have = append(have, chunk...); return nil })
		if err != nil || !bytes.Equal(have, content[c.start:c.end]) {
			t.Errorf("%v: %d bytes, %v", c.part, len(have), err)
		}
	}
	if macs, err := s.List(ctx, packfile); err != nil || len(macs) != 1000 {
		t.Errorf("%d MACs, %v", len(macs), err)
	}
	if err := s.Close(ctx); err != nil {
		t.Error(err)
	}
}

func Test_many_puts_and_gets_go_on_at_once(t *testing.T) {
	ctx := guarded(t)
	const size = 20 << 20
	s := peerStore(t, ctx, map[string]string{"size": fmt.Sprint(size)})
	var all sync.WaitGroup
	for i := range 16 {
		mac := bytes.Repeat([]byte{byte(i)}, MACSize)
		all.Go(func() {
			if n, err := s.Put(ctx, packfile, mac, bytes.NewReader(madeUp(size))); err != nil || n != size {
				t.Errorf("put: %d bytes, %v", n, err)
			}
		})
		all.Go(func() {
			total := 0
			err := s.Get(ctx, packfile, mac, nil, func(chunk []byte) error { total += len(chunk); return nil })
			if err != nil || total != size {
				t.Errorf("get: %d bytes, %v", total, err)
			}
		})
	}
	all.Wait()
}

func Test_a_put_that_is_abandoned_blocks_no_other(t *testing.T) {
	ctx := guarded(t)
	s := peerStore(t, ctx, nil)
	abandoned, err := s.BeginPut(ctx, packfile, make([]byte, MACSize))
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := abandoned.Send(&store.PutRequest{Chunk: pattern.Block}); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := s.Put(ctx, packfile, bytes.Repeat([]byte{1}, MACSize), bytes.NewReader(madeUp(3<<20))); err != nil || n != 3<<20 {
		t.Errorf("%d bytes, %v", n, err)
	}
	if err := s.Close(ctx); err != nil {
		t.Error(err)
	}
}

func Test_an_answer_to_a_put_that_comes_early_is_returned(t *testing.T) {
	ctx := guarded(t)
	s := peerStore(t, ctx, nil)
	_, err := s.Put(ctx, packfile, []byte("short"), bytes.NewReader(madeUp(64<<20)))
	if status.Code(err) != codes.InvalidArgument {
		t.Errorf("Put said %v", err)
	}
}

func Test_what_a_process_took_is_told_after_its_end(t *testing.T) {
	ctx := guarded(t)
	s := peerStore(t, ctx, nil)
	if err := s.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if usage := s.Usage(); usage.CPU <= 0 || usage.PeakRSSKiB <= 0 {
		t.Errorf("%+v", usage)
	}
}
