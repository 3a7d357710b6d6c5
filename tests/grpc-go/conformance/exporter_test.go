package conformance

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"kloset-sdk/tests/grpc-go/host"
	"kloset-sdk/tests/grpc-go/wire/connectors"
)

// exportTree sends a local directory, and checks that every record got one result with itself as the header.
func exportTree(t *testing.T, ctx context.Context, e *host.Exporter, folder string) []*connectors.Result {
	t.Helper()
	records, err := host.Tree(folder, e.Answer.GetFlags()&host.FlagExportXattr != 0)
	if err != nil {
		t.Fatal(err)
	}
	results, err := e.Export(ctx, func(feed *host.Feed) error {
		for _, record := range records {
			if err := feedLocal(feed, folder, record); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := host.OneResultEach(records, results); err != nil {
		t.Error(err)
	}
	for _, result := range results {
		sent := slices.IndexFunc(records, func(r *connectors.Record) bool { return contentKey(r) == contentKey(result.GetHeader()) })
		if sent >= 0 && !proto.Equal(records[sent], result.GetHeader()) {
			t.Errorf("a result's header is\n%v instead of\n%v", result.GetHeader(), records[sent])
		}
	}
	return results
}

func feedLocal(feed *host.Feed, folder string, record *connectors.Record) error {
	local := filepath.Join(folder, record.GetPathname())
	if record.GetIsXattr() {
		value, err := host.Xattr(local, record.GetXattrName())
		if err != nil {
			return err
		}
		return feed.File(record, bytes.NewReader(value))
	}
	if !record.GetHasReader() {
		return feed.Entry(record)
	}
	file, err := os.Open(local)
	if err != nil {
		return err
	}
	defer file.Close()
	return feed.File(record, file)
}

// record makes one of its own.
func record(pathname string, mode fs.FileMode, size int) *connectors.Record {
	return &connectors.Record{
		HasReader: mode.IsRegular(),
		Pathname:  pathname,
		FileInfo: &connectors.FileInfo{
			Name: path.Base(pathname), Size: int64(size), Mode: uint32(mode), ModTime: timestamppb.New(time.Unix(1_600_000_000, 0)),
			Uid: uint64(os.Getuid()), Gid: uint64(os.Getgid()), Nlink: 1,
		},
	}
}

func Test_an_exporter_makes_the_tree_again_in_a_directory_that_is_not_there(t *testing.T) {
	each(t, func(t *testing.T, c connector) {
		ctx := guarded(t)
		source, attributes := makeTree(t)
		destination := filepath.Join(t.TempDir(), "new", "and deeper")
		e := startExporter(t, ctx, c, destination)
		wantsAttributes := e.Answer.GetFlags()&host.FlagExportXattr != 0
		if !wantsAttributes {
			t.Log("the exporter's flags ask for no extended attributes")
		}
		for _, result := range exportTree(t, ctx, e, source) {
			if result.GetError() == "" {
				continue
			}
			if fs.FileMode(result.GetHeader().GetFileInfo().GetMode()).Type() == fs.ModeNamedPipe {
				t.Logf("no named pipe: %s", result.GetError())
			} else {
				t.Errorf("%q: %s", result.GetHeader().GetPathname(), result.GetError())
			}
		}
		closed(t, ctx, e)
		t.Cleanup(func() { os.Chmod(filepath.Join(destination, "readonly"), 0o755) })
		compareTrees(t, source, destination, attributes && wantsAttributes)

		one, err := os.Stat(filepath.Join(destination, "hard-one"))
		if err != nil {
			t.Fatal(err)
		}
		two, err := os.Stat(filepath.Join(destination, "sub/hard-two"))
		if err != nil {
			t.Fatal(err)
		}
		if !os.SameFile(one, two) {
			t.Error("the hard links are two files")
		}
	})
}

func Test_an_exporter_keeps_nothing_of_a_file_that_broke_off(t *testing.T) {
	each(t, func(t *testing.T, c connector) {
		ctx := guarded(t)
		destination := t.TempDir()
		e := startExporter(t, ctx, c, destination)
		broken := errors.New("the host cannot read on")
		// The call itself may end with an error or without.
		results, err := e.Export(ctx, func(feed *host.Feed) error {
			if err := feed.File(record("/whole", 0o644, 2*mib), bytes.NewReader(make([]byte, 2*mib))); err != nil {
				return err
			}
			content := io.MultiReader(bytes.NewReader(make([]byte, 3*mib)), failing{broken})
			return feed.File(record("/cut", 0o644, 10*mib), content)
		})
		if ctx.Err() != nil {
			t.Fatalf("the export did not end: %v", err)
		}
		for _, result := range results {
			if result.GetHeader().GetPathname() == "/cut" && result.GetError() == "" {
				t.Error("the result of the file that broke off tells no error")
			}
		}
		e.Close(ctx)
		if names := namesBelow(t, destination); !slices.Equal(names, []string{"whole"}) {
			t.Errorf("there are %q, instead of the whole file alone", names)
		}
	})
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func Test_an_exporter_refuses_paths_that_lead_out_of_its_root(t *testing.T) {
	each(t, func(t *testing.T, c connector) {
		ctx := guarded(t)
		parent := t.TempDir()
		destination, outside := filepath.Join(parent, "destination"), filepath.Join(parent, "outside")
		for _, folder := range []string{destination, outside} {
			if err := os.Mkdir(folder, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		e := startExporter(t, ctx, c, destination)
		link := record("/out", fs.ModeSymlink|0o777, 0)
		link.Target = outside
		sent := []*connectors.Record{
			record("/good", 0o644, 4),
			record("/../escaped", 0o644, 4),
			record("/sub/../../escaped", 0o644, 4),
			record("relative", 0o644, 4),
			record("/nul\x00inside", 0o644, 4),
			link,
			record("/out/escaped", 0o644, 4),
			record("/good too", 0o644, 4),
		}
		results, err := e.Export(ctx, func(feed *host.Feed) error {
			for _, r := range sent {
				if !r.GetHasReader() {
					if err := feed.Entry(r); err != nil {
						return err
					}
				} else if err := feed.File(r, bytes.NewReader([]byte("evil"))); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := host.OneResultEach(sent, results); err != nil {
			t.Error(err)
		}
		fine := map[string]bool{"/good": true, "/good too": true, "/out": true}
		for _, result := range results {
			if name := result.GetHeader().GetPathname(); fine[name] != (result.GetError() == "") {
				t.Errorf("the result of %q says %q", name, result.GetError())
			}
		}
		closed(t, ctx, e)
		for _, name := range namesBelow(t, parent) {
			switch name {
			case "destination", "destination/good", "destination/good too", "destination/out", "outside":
			default:
				t.Errorf("there is %q", name)
			}
		}
	})
}

func Test_an_exporter_replaces_what_is_there(t *testing.T) {
	each(t, func(t *testing.T, c connector) {
		ctx := guarded(t)
		destination := t.TempDir()
		target := filepath.Join(destination, "file")
		if err := os.WriteFile(target, []byte("an older and longer content"), 0o600); err != nil {
			t.Fatal(err)
		}
		e := startExporter(t, ctx, c, destination)
		results, err := e.Export(ctx, func(feed *host.Feed) error {
			return feed.File(record("/file", 0o644, 3), bytes.NewReader([]byte("new")))
		})
		if err != nil || len(results) != 1 || results[0].GetError() != "" {
			t.Fatalf("%v, %v", results, err)
		}
		closed(t, ctx, e)
		if content, err := os.ReadFile(target); err != nil || string(content) != "new" {
			t.Errorf("the content is %q (%v)", content, err)
		}
	})
}

func Test_an_export_of_nothing_ends_well(t *testing.T) {
	each(t, func(t *testing.T, c connector) {
		ctx := guarded(t)
		e := startExporter(t, ctx, c, filepath.Join(t.TempDir(), "new"))
		if results, err := e.Export(ctx, func(*host.Feed) error { return nil }); err != nil || len(results) != 0 {
			t.Errorf("%v, %v", results, err)
		}
		closed(t, ctx, e)
	})
}
