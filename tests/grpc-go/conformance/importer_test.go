package conformance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	"kloset-sdk/tests/grpc-go/host"
	"kloset-sdk/tests/grpc-go/wire/connectors"
	"kloset-sdk/tests/grpc-go/wire/importer"
)

// collected is everything that an importer gave: entries by path, attributes by path and name, errors by path.
type collected struct {
	entries    map[string]*connectors.Record
	attributes map[[2]string]*connectors.Record
	errors     map[string]string
	contents   map[string][]byte // by the record's path, and its attribute's name
	order      []string
}

func contentKey(record *connectors.Record) string {
	return record.GetPathname() + "\x00" + record.GetXattrName()
}

// collect reads an importer to its end and opens everything that has content.
func collect(t *testing.T, ctx context.Context, i *host.Importer, workers int) *collected {
	t.Helper()
	c := &collected{
		entries:    map[string]*connectors.Record{},
		attributes: map[[2]string]*connectors.Record{},
		errors:     map[string]string{},
		contents:   map[string][]byte{},
	}
	var mutex sync.Mutex
	err := i.Read(ctx, workers, func(ctx context.Context, record *connectors.Record) error {
		var content []byte
		var err error
		if record.GetHasReader() {
			err = i.Content(ctx, record, func(chunk []byte) error {
				if len(chunk) > host.ChunkSize {
					t.Errorf("%q came with a chunk of %d bytes", record.GetPathname(), len(chunk))
				}
				content = append(content, chunk...)
				return nil
			})
		}
		mutex.Lock()
		defer mutex.Unlock()
		if err != nil {
			t.Errorf("%q could not be opened: %v", record.GetPathname(), err)
		}
		c.contents[contentKey(record)] = content
		c.add(t, record)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *collected) add(t *testing.T, record *connectors.Record) {
	t.Helper()
	pathname := record.GetPathname()
	c.order = append(c.order, pathname)
	switch {
	case record.GetError() != "":
		c.errors[pathname] = record.GetError()
	case record.GetIsXattr():
		c.attributes[[2]string{pathname, record.GetXattrName()}] = record
		if record.GetFileInfo() != nil {
			t.Errorf("the attribute record of %q has file information", pathname)
		}
	default:
		if c.entries[pathname] != nil {
			t.Errorf("%q came twice", pathname)
		}
		if record.GetFileInfo() == nil {
			t.Errorf("%q came without file information", pathname)
		}
		c.entries[pathname] = record
	}
}

// sameEntry compares a record with what the file system says.
func sameEntry(t *testing.T, have *connectors.Record, local string) {
	t.Helper()
	want, err := host.Entry(local, local)
	if err != nil {
		t.Fatal(err)
	}
	if have == nil {
		t.Errorf("%q did not come", local)
		return
	}
	wantInfo, haveInfo := want.FileInfo, proto.Clone(have.GetFileInfo()).(*connectors.FileInfo)
	if haveInfo.GetMode() != wantInfo.GetMode() {
		t.Errorf("%q has the mode %v instead of %v", local, fs.FileMode(haveInfo.GetMode()), fs.FileMode(wantInfo.GetMode()))
	}
	// Names of owners, and flags, are left to the connector; sizes count where there is content or a target.
	haveInfo.Username, haveInfo.Groupname, haveInfo.Flags = "", "", 0
	if mode := fs.FileMode(wantInfo.Mode); !mode.IsRegular() && mode.Type() != fs.ModeSymlink {
		haveInfo.Size, wantInfo.Size = 0, 0
	}
	if !proto.Equal(haveInfo, wantInfo) {
		t.Errorf("%q came as\n%v instead of\n%v", local, haveInfo, wantInfo)
	}
	if have.GetTarget() != want.GetTarget() {
		t.Errorf("%q points to %q instead of %q", local, have.GetTarget(), want.GetTarget())
	}
	if have.GetHasReader() != want.GetHasReader() {
		t.Errorf("%q: hasReader is %v", local, have.GetHasReader())
	}
}

func Test_an_importer_gives_a_tree_as_it_is(t *testing.T) {
	each(t, func(t *testing.T, c connector) {
		root, attributes := makeTree(t)
		for _, workers := range []int{1, 8} {
			t.Run(fmt.Sprint(workers, " at once"), func(t *testing.T) {
				ctx := guarded(t)
				i := startImporter(t, ctx, c, root, host.Options{MaxConcurrency: workers})
				if i.Answer.GetRoot() != root {
					t.Errorf("the root is %q instead of %q", i.Answer.GetRoot(), root)
				}
				got := collect(t, ctx, i, workers)
				sameTree(t, got, root)
				if attributes {
					sameAttribute(t, got, filepath.Join(root, "coloured"))
				}
				closed(t, ctx, i)
			})
		}
	})
}

// sameTree expects the tree and its parent directories, with the content of every file.
func sameTree(t *testing.T, got *collected, root string) {
	t.Helper()
	for path, text := range got.errors {
		t.Errorf("%q came as an error: %s", path, text)
	}
	expected := map[string]bool{}
	for _, name := range append(namesBelow(t, root), ".") {
		local := filepath.Join(root, name)
		expected[local] = true
		sameEntry(t, got.entries[local], local)
		if got.entries[local].GetHasReader() {
			want, err := os.ReadFile(local)
			if err != nil {
				t.Fatal(err)
			}
			if have := got.contents[local+"\x00"]; !bytes.Equal(have, want) {
				t.Errorf("the content of %q differs: %d bytes instead of %d", local, len(have), len(want))
			}
		}
	}
	for parent := filepath.Dir(root); ; parent = filepath.Dir(parent) {
		expected[parent] = true
		if entry := got.entries[parent]; entry == nil {
			t.Errorf("the parent directory %q did not come", parent)
		} else if info, _ := os.Lstat(parent); fs.FileMode(entry.GetFileInfo().GetMode()) != info.Mode() {
			t.Errorf("the parent directory %q has the mode %v instead of %v", parent, fs.FileMode(entry.GetFileInfo().GetMode()), info.Mode())
		}
		if parent == "/" {
			break
		}
	}
	for path := range got.entries {
		if !expected[path] {
			t.Errorf("%q came, and is not there", path)
		}
	}
}

func sameAttribute(t *testing.T, got *collected, local string) {
	t.Helper()
	listed := false
	for _, name := range got.entries[local].GetExtendedAttributes() {
		listed = listed || name == "user.color"
	}
	if !listed {
		t.Errorf("the entry of %q does not name its attribute user.color", local)
	}
	record := got.attributes[[2]string{local, "user.color"}]
	if record == nil {
		t.Errorf("%q came without a record of its attribute user.color", local)
		return
	}
	if !record.GetHasReader() || record.GetXattrType() != 0 {
		t.Errorf("the record of the attribute is %v", record)
	}
	if value := got.contents[local+"\x00user.color"]; !bytes.Equal(value, colour) {
		t.Errorf("the attribute's value is %q instead of %q", value, colour)
	}
}

func Test_an_importer_gives_no_attributes_where_none_are_wanted(t *testing.T) {
	each(t, func(t *testing.T, c connector) {
		ctx := guarded(t)
		root, _ := makeTree(t)
		i := startImporter(t, ctx, c, root, host.Options{NoXattr: true})
		got := collect(t, ctx, i, 1)
		for key := range got.attributes {
			t.Errorf("the attribute %q came", key)
		}
		for path, record := range got.entries {
			if len(record.GetExtendedAttributes()) > 0 {
				t.Errorf("%q names its attributes %q", path, record.GetExtendedAttributes())
			}
		}
	})
}

// A restore reads a repository by path: what was backed up in that order lies in it so.
func Test_an_importer_gives_a_tree_by_name_and_what_is_in_a_directory_right_after_it(t *testing.T) {
	each(t, func(t *testing.T, c connector) {
		ctx := guarded(t)
		root := filepath.Join(t.TempDir(), "tree")
		for _, name := range []string{"b/2", "b/10", "b/1", "c", "a", "b.txt", "b/x/y", "d/e"} {
			if err := os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(root, name), nil, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		i := startImporter(t, ctx, c, root, host.Options{})
		came := collect(t, ctx, i, 1).order
		// What is below a directory comes before whatever else begins with its name.
		byName := slices.Clone(came)
		slices.SortFunc(byName, func(a, b string) int {
			return strings.Compare(strings.ReplaceAll(a, "/", "\x00"), strings.ReplaceAll(b, "/", "\x00"))
		})
		if !slices.Equal(came, byName) || !slices.Contains(came, filepath.Join(root, "d/e")) {
			t.Errorf("it came as %q instead of %q", came, byName)
		}
		closed(t, ctx, i)
	})
}

func Test_an_importer_leaves_out_what_the_patterns_exclude(t *testing.T) {
	each(t, func(t *testing.T, c connector) {
		ctx := guarded(t)
		root := filepath.Join(t.TempDir(), "tree")
		for _, name := range []string{"keep.o", "a.o", "sub/b.o", "sub/b.c", "gone/in/file", "sub/gone/file", "cache/x", "sub/cache", "anchored/file"} {
			if err := os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(root, name), []byte(name), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		i := startImporter(t, ctx, c, root, host.Options{Excludes: []string{
			"# a comment",
			"*.o",
			"!keep.o",
			root + "/gone", // patterns are anchored at /
			"/anchored",    // and not at the root
			"cache/",       // directories only
		}})
		got := collect(t, ctx, i, 1)
		for name, expected := range map[string]bool{
			"keep.o": true, "a.o": false, "sub/b.o": false, "sub/b.c": true, "gone": false, "gone/in": false, "gone/in/file": false,
			"sub/gone/file": true, "cache": false, "cache/x": false, "sub/cache": true, "anchored/file": true,
		} {
			if came := got.entries[filepath.Join(root, name)] != nil; came != expected {
				t.Errorf("%q came: %v, expected: %v", name, came, expected)
			}
		}
	})
}

func Test_an_importer_of_a_directory_that_is_not_there_says_so_in_Init(t *testing.T) {
	each(t, func(t *testing.T, c connector) {
		missing := filepath.Join(t.TempDir(), "not here")
		i, err := host.StartImporter(guarded(t), c.with("importer"), c.name, host.Config(c.name, missing, nil), host.Options{Stderr: logged(t)})
		if err == nil {
			i.End()
			t.Fatal("Init succeeded")
		}
		if !strings.Contains(err.Error(), missing) {
			t.Errorf("the error does not name the directory: %v", err)
		}
	})
}

func Test_an_Init_that_lacks_something_is_answered_with_an_error(t *testing.T) {
	each(t, func(t *testing.T, c connector) {
		options := &connectors.Options{Hostname: "host", Os: "linux", Arch: "amd64", Cwd: "/", Maxconcurrency: 1}
		for what, request := range map[string]*importer.InitRequest{
			"options":                    {Proto: c.name, Config: host.Config(c.name, t.TempDir(), nil)},
			"a location":                 {Options: options, Proto: c.name, Config: map[string]string{}},
			"anything in the location":   {Options: options, Proto: c.name, Config: map[string]string{"location": ""}},
			"a protocol in the location": {Options: options, Proto: c.name, Config: map[string]string{"location": "somewhere"}},
			"everything":                 {},
		} {
			t.Run(what, func(t *testing.T) {
				p, err := host.Start(c.with("importer"), host.Options{Stderr: logged(t)})
				if err != nil {
					t.Fatal(err)
				}
				answer, err := importer.NewImporterClient(p.Client).Init(guarded(t), request)
				if err == nil {
					t.Errorf("Init answered %v", answer)
				}
				if err := p.End(); err != nil {
					t.Error(err)
				}
			})
		}
	})
}

func Test_a_file_that_vanished_since_its_record_is_an_error_of_that_file_alone(t *testing.T) {
	each(t, func(t *testing.T, c connector) {
		ctx := guarded(t)
		root := t.TempDir()
		for n := range 20 {
			if err := os.WriteFile(filepath.Join(root, fmt.Sprint(n)), []byte("content"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		i := startImporter(t, ctx, c, root, host.Options{})
		vanished := filepath.Join(root, "10") // the third: nothing is read ahead yet
		opened := 0
		err := i.Read(ctx, 1, func(ctx context.Context, record *connectors.Record) error {
			if !record.GetHasReader() {
				return nil
			}
			if record.GetPathname() == vanished {
				if err := os.Remove(vanished); err != nil {
					t.Error(err)
				}
			}
			err := i.Content(ctx, record, func([]byte) error { return nil })
			if record.GetPathname() == vanished {
				if err == nil {
					t.Error("the file that vanished was opened")
				} else if !strings.Contains(err.Error(), vanished) {
					t.Errorf("the error does not name the file: %v", err)
				}
				return err
			}
			opened++
			return err
		})
		if err != nil || opened != 19 {
			t.Errorf("%d files were opened, %v", opened, err)
		}
		closed(t, ctx, i)
	})
}

func Test_an_import_ends_well_when_nothing_is_opened(t *testing.T) {
	each(t, func(t *testing.T, c connector) {
		ctx := guarded(t)
		root, _ := makeTree(t)
		i := startImporter(t, ctx, c, root, host.Options{})
		if err := i.Read(ctx, 1, func(context.Context, *connectors.Record) error { return nil }); err != nil {
			t.Error(err)
		}
		closed(t, ctx, i)
	})
}

func Test_an_open_that_the_host_cancels_half_way_harms_no_other(t *testing.T) {
	each(t, func(t *testing.T, c connector) {
		ctx := guarded(t)
		root := t.TempDir()
		const size = 64 * mib
		for n := range 8 {
			name := filepath.Join(root, fmt.Sprint(n))
			if err := os.WriteFile(name, nil, 0o644); err != nil {
				t.Fatal(err)
			}
			if err := os.Truncate(name, size); err != nil {
				t.Fatal(err)
			}
		}
		i := startImporter(t, ctx, c, root, host.Options{MaxConcurrency: 4})
		enough := errors.New("enough was read")
		var mutex sync.Mutex
		files, cancelled := 0, 0
		err := i.Read(ctx, 4, func(ctx context.Context, record *connectors.Record) error {
			if !record.GetHasReader() {
				return nil
			}
			mutex.Lock()
			files++
			whole := files%2 == 0
			mutex.Unlock()
			total := 0
			err := i.Content(ctx, record, func(chunk []byte) error {
				total += len(chunk)
				if !whole && total >= mib {
					return enough // which cancels the call
				}
				return nil
			})
			if errors.Is(err, enough) {
				mutex.Lock()
				cancelled++
				mutex.Unlock()
			} else if err != nil || total != size {
				t.Errorf("%q: %d bytes, %v", record.GetPathname(), total, err)
			}
			return err
		})
		if err != nil || files != 8 || cancelled != 4 {
			t.Errorf("%d files, %d of them cancelled, %v", files, cancelled, err)
		}
		closed(t, ctx, i)
	})
}

func Test_a_record_that_was_never_given_cannot_be_opened(t *testing.T) {
	each(t, func(t *testing.T, c connector) {
		ctx := guarded(t)
		root, outside := t.TempDir(), t.TempDir()
		secret := filepath.Join(outside, "secret")
		if err := os.WriteFile(secret, []byte("secret"), 0o644); err != nil {
			t.Fatal(err)
		}
		i := startImporter(t, ctx, c, root, host.Options{})
		for _, pathname := range []string{secret, root + "/../" + filepath.Base(outside) + "/secret", ""} {
			err := i.Content(ctx, &connectors.Record{Pathname: pathname}, func([]byte) error { return nil })
			if err == nil {
				t.Errorf("%q was opened", pathname)
			}
		}
		closed(t, ctx, i)
	})
}
