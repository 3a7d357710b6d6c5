package conformance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"kloset-sdk/tests/grpc-go/host"
	"kloset-sdk/tests/grpc-go/wire/connectors"
	"kloset-sdk/tests/grpc-go/wire/exporter10"
)

// restoreTree sends a local directory as plakar does.
func restoreTree(t *testing.T, ctx context.Context, e *host.Exporter10, folder string, workers int) {
	t.Helper()
	records, err := host.Tree(folder, false)
	if err != nil {
		t.Fatal(err)
	}
	failed := e.Restore(ctx, workers, records, func(record *connectors.Record) (io.ReadCloser, error) {
		return os.Open(filepath.Join(folder, record.GetPathname()))
	})
	for pathname, err := range failed {
		t.Errorf("%q: %v", pathname, err)
	}
}

func Test_on_1_0_an_exporter_makes_the_tree_again_in_a_directory_that_is_not_there(t *testing.T) {
	each(t, func(t *testing.T, c connector) {
		source, _ := makeTree(t)
		for _, workers := range []int{1, 8} {
			t.Run(fmt.Sprint(workers, " at once"), func(t *testing.T) {
				ctx := guarded(t)
				destination := filepath.Join(t.TempDir(), "new", "and deeper")
				e := startExporter10(t, ctx, c, destination)
				restoreTree(t, ctx, e, source, workers)
				closed(t, ctx, e)
				t.Cleanup(func() { os.Chmod(filepath.Join(destination, "readonly"), 0o755) })
				compareTrees(t, source, destination, false)
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
	})
}

// Where the host just ends after a restore, without Close, everything has to be there too.
func Test_on_1_0_what_was_restored_is_there_without_Close(t *testing.T) {
	each(t, func(t *testing.T, c connector) {
		ctx := guarded(t)
		source, _ := makeTree(t)
		destination := t.TempDir()
		e := startExporter10(t, ctx, c, destination)
		restoreTree(t, ctx, e, source, 4)
		if err := e.End(); err != nil {
			t.Error(err)
		}
		t.Cleanup(func() { os.Chmod(filepath.Join(destination, "readonly"), 0o755) })
		compareTrees(t, source, destination, false)
	})
}

func Test_on_1_0_an_exporter_keeps_nothing_of_a_file_that_broke_off(t *testing.T) {
	each(t, func(t *testing.T, c connector) {
		for name, breakOff := range map[string]func(stream exporter10.Exporter_StoreFileClient, cancel func()) error{
			// As plakar does it: only the size tells.
			"by a half-close": func(stream exporter10.Exporter_StoreFileClient, _ func()) error {
				_, err := stream.CloseAndRecv()
				return err
			},
			"by a cancelled call": func(stream exporter10.Exporter_StoreFileClient, cancel func()) error {
				cancel()
				return stream.RecvMsg(&exporter10.StoreFileResponse{})
			},
		} {
			t.Run(name, func(t *testing.T) {
				ctx := guarded(t)
				destination := t.TempDir()
				e := startExporter10(t, ctx, c, destination)
				if err := e.StoreFile(ctx, filepath.Join(destination, "whole"), 2*mib, bytes.NewReader(make([]byte, 2*mib))); err != nil {
					t.Error(err)
				}
				for n, size := range []int64{10 * mib, 10, 1 << 40} {
					cut, cancel := context.WithCancel(ctx)
					stream, err := e.BeginFile(cut, filepath.Join(destination, fmt.Sprint("cut", n)), size)
					if err != nil {
						t.Fatal(err)
					}
					for range 3 {
						if err := e.SendContent(stream, make([]byte, min(mib, size/10))); err != nil {
							t.Fatal(err)
						}
					}
					if err := breakOff(stream, cancel); err == nil {
						t.Errorf("a file of which a part of %d bytes came was stored", size)
					}
					cancel()
				}
				closed(t, ctx, e)
				if names := namesBelow(t, destination); !slices.Equal(names, []string{"whole"}) {
					t.Errorf("there are %q, instead of the whole file alone", names)
				}
			})
		}
	})
}

// With -skip-permissions no SetPermissions follows.
func Test_on_1_0_symbolic_links_are_there_when_their_permissions_never_come(t *testing.T) {
	each(t, func(t *testing.T, c connector) {
		for _, links := range []int{1, 100} {
			ctx := guarded(t)
			destination := t.TempDir()
			e := startExporter10(t, ctx, c, destination)
			for n := range links {
				if err := e.CreateLink(ctx, fmt.Sprint("target ", n), filepath.Join(destination, fmt.Sprint(n)), host.SymbolicLink10); err != nil {
					t.Error(err)
				}
			}
			closed(t, ctx, e)
			for n := range links {
				if target, err := os.Readlink(filepath.Join(destination, fmt.Sprint(n))); err != nil || target != fmt.Sprint("target ", n) {
					t.Errorf("link %d of %d: %q, %v", n, links, target, err)
				}
			}
		}
	})
}

func Test_on_1_0_an_exporter_refuses_paths_that_lead_out_of_its_root(t *testing.T) {
	each(t, func(t *testing.T, c connector) {
		ctx := guarded(t)
		parent := t.TempDir()
		destination, outside := filepath.Join(parent, "destination"), filepath.Join(parent, "outside")
		for _, folder := range []string{destination, outside} {
			if err := os.Mkdir(folder, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		e := startExporter10(t, ctx, c, destination)
		store := func(pathname string) error { return e.StoreFile(ctx, pathname, 4, bytes.NewReader([]byte("evil"))) }
		permissions := record("/x", 0o777, 0).GetFileInfo()
		for what, err := range map[string]error{
			"a good file":         store(destination + "/good"),
			"a good link":         e.CreateLink(ctx, outside, destination+"/out", host.SymbolicLink10),
			"a good directory":    e.CreateDirectory(ctx, destination+"/folder"),
			"the root":            e.CreateDirectory(ctx, destination),
			"good permissions":    e.SetPermissions(ctx, destination+"/good", record("/good", 0o600, 0).GetFileInfo()),
			"a file after others": store(destination + "/good too"),
		} {
			if err != nil {
				t.Errorf("%s: %v", what, err)
			}
		}
		for what, err := range map[string]error{
			"a file beside the root":           store(outside + "/escaped"),
			"a file above the root":            store(destination + "/../escaped"),
			"a file above by a detour":         store(destination + "/folder/../../escaped"),
			"a relative file":                  store("relative"),
			"a file without a name":            store(""),
			"a file with a NUL":                store(destination + "/nul\x00inside"),
			"a file whose name begins so":      store(destination + "-too"),
			"a file through a link":            store(destination + "/out/escaped"),
			"a directory above the root":       e.CreateDirectory(ctx, destination+"/../escaped"),
			"a directory beside the root":      e.CreateDirectory(ctx, outside+"/escaped"),
			"a link above the root":            e.CreateLink(ctx, "/etc", destination+"/../escaped", host.SymbolicLink10),
			"a hard link above the root":       e.CreateLink(ctx, destination+"/good", destination+"/../escaped", host.HardLink10),
			"a hard link to something outside": e.CreateLink(ctx, "/etc/passwd", destination+"/stolen", host.HardLink10),
			"permissions above the root":       e.SetPermissions(ctx, destination+"/..", permissions),
			"permissions beside the root":      e.SetPermissions(ctx, outside, permissions),
		} {
			if err == nil {
				t.Errorf("%s was accepted", what)
			}
		}
		closed(t, ctx, e)
		for _, name := range namesBelow(t, parent) {
			switch name {
			case "destination", "destination/folder", "destination/good", "destination/good too", "destination/out", "outside":
			default:
				t.Errorf("there is %q", name)
			}
		}
		if info, err := os.Stat(outside); err != nil || info.Mode().Perm() != 0o755 {
			t.Errorf("beside the root there is %v (%v)", info.Mode(), err)
		}
	})
}

func Test_on_1_0_an_exporter_replaces_what_is_there(t *testing.T) {
	each(t, func(t *testing.T, c connector) {
		ctx := guarded(t)
		destination := t.TempDir()
		target := filepath.Join(destination, "file")
		if err := os.WriteFile(target, []byte("an older and longer content"), 0o600); err != nil {
			t.Fatal(err)
		}
		e := startExporter10(t, ctx, c, destination)
		if err := e.StoreFile(ctx, target, 3, bytes.NewReader([]byte("new"))); err != nil {
			t.Error(err)
		}
		closed(t, ctx, e)
		if content, err := os.ReadFile(target); err != nil || string(content) != "new" {
			t.Errorf("the content is %q (%v)", content, err)
		}
	})
}

func Test_on_1_0_many_files_are_stored_at_once(t *testing.T) {
	each(t, func(t *testing.T, c connector) {
		ctx := guarded(t)
		destination := t.TempDir()
		e := startExporter10(t, ctx, c, destination)
		var all sync.WaitGroup
		for n := range 200 {
			_, content := object(uint64(n), n*2000)
			folder := filepath.Join(destination, fmt.Sprint(n%7))
			name := filepath.Join(folder, fmt.Sprint(n))
			all.Go(func() {
				info := record(name, 0o640, len(content)).GetFileInfo()
				if err := errors.Join(
					e.CreateDirectory(ctx, folder),
					e.StoreFile(ctx, name, int64(len(content)), bytes.NewReader(content)),
					e.SetPermissions(ctx, name, info),
				); err != nil {
					t.Errorf("%q: %v", name, err)
				}
			})
		}
		all.Wait()
		closed(t, ctx, e)
		for n := range 200 {
			name := filepath.Join(destination, fmt.Sprint(n%7), fmt.Sprint(n))
			_, want := object(uint64(n), n*2000)
			if have, err := os.ReadFile(name); err != nil || !bytes.Equal(have, want) {
				t.Errorf("%q: %d bytes, %v", name, len(have), err)
			}
			if info, err := os.Stat(name); err != nil || info.Mode() != fs.FileMode(0o640) {
				t.Errorf("%q has the mode %v (%v)", name, info.Mode(), err)
			}
		}
	})
}

func Test_on_1_0_a_file_without_a_header_is_an_error(t *testing.T) {
	each(t, func(t *testing.T, c connector) {
		ctx := guarded(t)
		destination := t.TempDir()
		e := startExporter10(t, ctx, c, destination)
		for what, send := range map[string]func(stream exporter10.Exporter_StoreFileClient) error{
			"nothing at all": func(exporter10.Exporter_StoreFileClient) error { return nil },
			"data alone":     func(stream exporter10.Exporter_StoreFileClient) error { return e.SendContent(stream, []byte("data")) },
		} {
			stream, err := e.Calls.StoreFile(ctx)
			if err == nil {
				err = send(stream)
			}
			if err != nil && err != io.EOF {
				t.Fatal(err)
			}
			if _, err := stream.CloseAndRecv(); err == nil {
				t.Errorf("%s was stored", what)
			}
		}
		closed(t, ctx, e)
		if names := namesBelow(t, destination); len(names) > 0 {
			t.Errorf("there are %q", names)
		}
	})
}
