package conformance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/proto"

	"kloset-sdk/tests/grpc-go/host"
	"kloset-sdk/tests/grpc-go/wire/connectors"
	"kloset-sdk/tests/grpc-go/wire/importer10"
)

// asRecord is what a scan found, in the form that it has in generation 1.1.
func asRecord(t *testing.T, found *importer10.ScanResponse) *connectors.Record {
	t.Helper()
	record := &connectors.Record{Pathname: found.GetPathname(), Error: found.GetError().GetMessage()}
	if found.GetRecord() == nil {
		return record
	}
	record.Target, record.FileInfo = found.GetRecord().GetTarget(), &connectors.FileInfo{}
	wire, err := proto.Marshal(found.GetRecord().GetFileinfo()) // both have the same twelve fields
	if err == nil {
		err = proto.Unmarshal(wire, record.FileInfo)
	}
	if err != nil {
		t.Error(err)
	}
	record.HasReader = fs.FileMode(record.FileInfo.GetMode()).IsRegular()
	if attribute := found.GetRecord().GetXattr(); attribute != nil {
		record.IsXattr, record.XattrName, record.FileInfo = true, attribute.GetName(), nil
	}
	return record
}

// collect10 reads an importer to its end. Contents are read meanwhile, and so are those that plakar would not ask for yet.
func collect10(t *testing.T, ctx context.Context, i *host.Importer10, workers int) *collected {
	t.Helper()
	c := &collected{
		entries:    map[string]*connectors.Record{},
		attributes: map[[2]string]*connectors.Record{},
		errors:     map[string]string{},
		contents:   map[string][]byte{},
	}
	var mutex sync.Mutex
	failures, err := i.Read(ctx, workers, func(ctx context.Context, found *importer10.ScanResponse) error {
		record := asRecord(t, found)
		var content []byte
		var err error
		if record.GetHasReader() {
			content, err = content10(ctx, i, record.GetPathname())
		}
		mutex.Lock()
		defer mutex.Unlock()
		if err != nil {
			t.Errorf("%q could not be read: %v", record.GetPathname(), err)
		}
		c.contents[contentKey(record)] = content
		c.add(t, record)
		return err
	})
	if err != nil || failures > 0 {
		t.Fatalf("%d failures, %v", failures, err)
	}
	return c
}

func content10(ctx context.Context, i *host.Importer10, pathname string) ([]byte, error) {
	var content []byte
	err := i.Content(ctx, pathname, func(chunk []byte) error {
		if len(chunk) > host.ChunkSize {
			return fmt.Errorf("a chunk of %d bytes came", len(chunk))
		}
		content = append(content, chunk...)
		return nil
	})
	return content, err
}

func Test_on_1_0_an_importer_gives_a_tree_as_it_is(t *testing.T) {
	each(t, func(t *testing.T, c connector) {
		root, _ := makeTree(t)
		for _, workers := range []int{1, 8} {
			t.Run(fmt.Sprint(workers, " at once"), func(t *testing.T) {
				ctx := guarded(t)
				i := startImporter10(t, ctx, c, root)
				if i.Told.GetRoot() != root || i.Told.GetType() == "" || i.Told.GetOrigin() == "" {
					t.Errorf("Info says %v", i.Told)
				}
				sameTree(t, collect10(t, ctx, i, workers), root)
				closed(t, ctx, i)
			})
		}
	})
}

// The file and its attributes would share one key, the pathname: of the Go SDK's connectors in this generation a file that has
// an attribute has the attribute's value for its content.
func Test_on_1_0_files_that_have_extended_attributes_keep_their_content_and_the_log_says_once_what_is_missing(t *testing.T) {
	each(t, func(t *testing.T, c connector) {
		ctx := guarded(t)
		root := filepath.Join(t.TempDir(), "tree")
		if err := os.Mkdir(root, 0o755); err != nil {
			t.Fatal(err)
		}
		for n := range 20 {
			name := filepath.Join(root, fmt.Sprint(n))
			if err := os.WriteFile(name, []byte(fmt.Sprint("the content of ", n)), 0o644); err != nil {
				t.Fatal(err)
			}
			for _, attribute := range []string{"user.color", "user.other"} {
				if err := unix.Lsetxattr(name, attribute, colour, 0); errors.Is(err, unix.ENOTSUP) {
					t.Skip("the file system has no extended attributes")
				} else if err != nil {
					t.Fatal(err)
				}
			}
		}
		options := options10(t)
		i, err := host.StartImporter10(ctx, c.with10("importer"), c.name, host.Config(c.name, root, nil), options)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { i.End() })
		got := collect10(t, ctx, i, 4)
		sameTree(t, got, root)
		for key := range got.attributes {
			t.Errorf("an attribute came: %q", key)
		}
		closed(t, ctx, i)
		said := 0
		for line := range strings.Lines(options.Stderr.(*logBuffer).String()) {
			if strings.Contains(line, "attributes") {
				said++
			}
		}
		if said != 1 {
			t.Errorf("the log speaks of attributes in %d lines", said)
		}
	})
}

func Test_on_1_0_files_are_read_long_after_the_scan_has_ended(t *testing.T) {
	each(t, func(t *testing.T, c connector) {
		ctx := guarded(t)
		root := t.TempDir()
		for n := range 3000 {
			if err := os.WriteFile(filepath.Join(root, fmt.Sprint(n)), []byte(fmt.Sprint(n)), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		i := startImporter10(t, ctx, c, root)
		var files []string
		_, err := i.Read(ctx, 1, func(_ context.Context, found *importer10.ScanResponse) error {
			if asRecord(t, found).GetHasReader() {
				files = append(files, found.GetPathname())
			}
			return nil
		})
		if err != nil || len(files) != 3000 {
			t.Fatalf("%d files, %v", len(files), err)
		}
		for _, pathname := range files {
			if content, err := content10(ctx, i, pathname); err != nil || string(content) != filepath.Base(pathname) {
				t.Errorf("%q: %q, %v", pathname, content, err)
			}
		}
		closed(t, ctx, i)
	})
}

func Test_on_1_0_an_importer_of_a_directory_that_is_not_there_says_so_in_Init(t *testing.T) {
	each(t, func(t *testing.T, c connector) {
		missing := filepath.Join(t.TempDir(), "not here")
		i, err := host.StartImporter10(guarded(t), c.with10("importer"), c.name, host.Config(c.name, missing, nil), options10(t))
		if err == nil {
			i.End()
			t.Fatal("Init succeeded")
		}
		if !strings.Contains(err.Error(), missing) {
			t.Errorf("the error does not name the directory: %v", err)
		}
	})
}

func Test_on_1_0_an_Init_that_lacks_something_is_answered_with_an_error(t *testing.T) {
	each(t, func(t *testing.T, c connector) {
		options := &importer10.Options{Hostname: "host", Os: "linux", Arch: "amd64", Cwd: "/", Maxconcurrency: 1}
		for what, request := range map[string]*importer10.InitRequest{
			"options":                    {Proto: c.name, Config: host.Config(c.name, t.TempDir(), nil)},
			"a location":                 {Options: options, Proto: c.name, Config: map[string]string{}},
			"anything in the location":   {Options: options, Proto: c.name, Config: map[string]string{"location": ""}},
			"a protocol in the location": {Options: options, Proto: c.name, Config: map[string]string{"location": "somewhere"}},
			"everything":                 {},
		} {
			t.Run(what, func(t *testing.T) {
				p, err := host.Start(c.with10("importer"), host.Options{Stderr: logged(t)})
				if err != nil {
					t.Fatal(err)
				}
				answer, err := importer10.NewImporterClient(p.Client).Init(guarded(t), request)
				if err == nil && answer.Error == nil {
					t.Errorf("Init answered %v", answer)
				}
				if err := p.End(); err != nil {
					t.Error(err)
				}
			})
		}
	})
}

func Test_on_1_0_a_file_that_vanished_since_its_record_is_an_error_of_that_file_alone(t *testing.T) {
	each(t, func(t *testing.T, c connector) {
		ctx := guarded(t)
		root := t.TempDir()
		for n := range 20 {
			if err := os.WriteFile(filepath.Join(root, fmt.Sprint(n)), []byte("content"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		i := startImporter10(t, ctx, c, root)
		vanished := filepath.Join(root, "10") // the third: nothing is read ahead yet
		opened := 0
		failures, err := i.Read(ctx, 1, func(ctx context.Context, found *importer10.ScanResponse) error {
			if !asRecord(t, found).GetHasReader() {
				return nil
			}
			if found.GetPathname() == vanished {
				if err := os.Remove(vanished); err != nil {
					t.Error(err)
				}
			}
			_, err := content10(ctx, i, found.GetPathname())
			if found.GetPathname() != vanished {
				opened++
			} else if err == nil || !strings.Contains(err.Error(), vanished) {
				t.Errorf("reading the file that vanished: %v", err)
			}
			return err
		})
		if err != nil || opened != 19 || failures != 1 {
			t.Errorf("%d files were read, %d were not, %v", opened, failures, err)
		}
		closed(t, ctx, i)
	})
}

// plakar 1.0.6 never gets over a Scan that ends with a status other than OK: it takes the same error again and again, for
// ever. So the error has to come among the records.
func Test_on_1_0_a_scan_that_fails_says_so_among_its_records_and_ends_well(t *testing.T) {
	each(t, func(t *testing.T, c connector) {
		ctx := guarded(t)
		root := filepath.Join(t.TempDir(), "tree")
		if err := os.Mkdir(root, 0o755); err != nil {
			t.Fatal(err)
		}
		i := startImporter10(t, ctx, c, root)
		if err := os.Remove(root); err != nil {
			t.Fatal(err)
		}
		var errors []string
		_, err := i.Read(ctx, 1, func(_ context.Context, found *importer10.ScanResponse) error {
			if found.GetError() != nil {
				errors = append(errors, found.GetError().GetMessage())
			}
			return nil
		})
		if err != nil {
			t.Errorf("the scan ended with %v", err)
		}
		if text := strings.Join(errors, "\n"); !strings.Contains(text, root) {
			t.Errorf("the errors among the records, %q, do not name the directory", text)
		}
		closed(t, ctx, i)
	})
}

func Test_on_1_0_a_scan_ends_well_when_nothing_is_opened(t *testing.T) {
	each(t, func(t *testing.T, c connector) {
		ctx := guarded(t)
		root, _ := makeTree(t)
		i := startImporter10(t, ctx, c, root)
		if _, err := i.Read(ctx, 1, func(context.Context, *importer10.ScanResponse) error { return nil }); err != nil {
			t.Error(err)
		}
		closed(t, ctx, i)
	})
}

func Test_on_1_0_a_reader_that_the_host_closes_half_way_harms_no_other(t *testing.T) {
	each(t, func(t *testing.T, c connector) {
		ctx := guarded(t)
		root := t.TempDir()
		const size = 64 * mib
		for n := range 8 {
			name := filepath.Join(root, fmt.Sprint(n))
			if err := errors.Join(os.WriteFile(name, nil, 0o644), os.Truncate(name, size)); err != nil {
				t.Fatal(err)
			}
		}
		i := startImporter10(t, ctx, c, root)
		enough := errors.New("enough was read")
		var mutex sync.Mutex
		files, left := 0, 0
		_, err := i.Read(ctx, 4, func(ctx context.Context, found *importer10.ScanResponse) error {
			if !asRecord(t, found).GetHasReader() {
				return nil
			}
			mutex.Lock()
			files++
			whole := files%2 == 0
			mutex.Unlock()
			total := 0
			err := i.Content(ctx, found.GetPathname(), func(chunk []byte) error {
				total += len(chunk)
				if !whole && total >= mib {
					return enough // which leaves the call as it is, and closes the reader
				}
				return nil
			})
			if errors.Is(err, enough) {
				mutex.Lock()
				left++
				mutex.Unlock()
			} else if err != nil || total != size {
				t.Errorf("%q: %d bytes, %v", found.GetPathname(), total, err)
			}
			return err
		})
		if err != nil || files != 8 || left != 4 {
			t.Errorf("%d files, %d of them left, %v", files, left, err)
		}
		closed(t, ctx, i)
	})
}

func Test_on_1_0_what_the_scan_never_gave_cannot_be_opened(t *testing.T) {
	each(t, func(t *testing.T, c connector) {
		ctx := guarded(t)
		root, outside := t.TempDir(), t.TempDir()
		secret := filepath.Join(outside, "secret")
		if err := os.WriteFile(secret, []byte("secret"), 0o644); err != nil {
			t.Fatal(err)
		}
		i := startImporter10(t, ctx, c, root)
		for _, scanned := range []bool{false, true} {
			if scanned {
				collect10(t, ctx, i, 1)
			}
			for _, pathname := range []string{secret, root + "/../" + filepath.Base(outside) + "/secret", root, ""} {
				if content, err := content10(ctx, i, pathname); err == nil || bytes.Contains(content, []byte("secret")) {
					t.Errorf("%q was opened", pathname)
				}
			}
		}
		closed(t, ctx, i)
	})
}
