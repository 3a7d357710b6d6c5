package replay

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"kloset-sdk/tests/grpc-go/wire/connectors"
	"kloset-sdk/tests/grpc-go/wire/exporter"
	"kloset-sdk/tests/grpc-go/wire/importer"
)

// makeTree makes the tree that an importer was recorded with, from its records and contents. It returns an error
// where there are no extended attributes.
func makeTree(t *testing.T, r *recording, here places) (withoutAttributes error) {
	t.Helper()
	contents := contents(r)
	var records []*connectors.Record
	for _, c := range r.calls {
		for _, answer := range c.answers {
			if record := recordOf(answer); record != nil && !above(record.GetPathname(), c.root) {
				records = append(records, record)
			}
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.MkdirAll(here.folder, 0o755))
	slices.SortStableFunc(records, func(a, b *connectors.Record) int { return bytes.Compare([]byte(recordKey(a)), []byte(recordKey(b))) })
	linked := map[uint64]string{} // by the recorded inode
	var entries []*connectors.Record
	for _, record := range records { // parents first
		path, info := here.here(record.GetPathname()), record.GetFileInfo()
		if record.GetIsXattr() {
			err := unix.Lsetxattr(path, record.GetXattrName(), contents[recordKey(record)], 0)
			if errors.Is(err, unix.ENOTSUP) {
				return fmt.Errorf("extended attributes: %w", err)
			}
			must(err)
			continue
		}
		entries = append(entries, record)
		switch mode := fs.FileMode(info.GetMode()); mode.Type() {
		case fs.ModeDir:
			must(os.Mkdir(path, 0o700))
		case fs.ModeSymlink:
			must(os.Symlink(record.GetTarget(), path))
		case fs.ModeNamedPipe:
			must(unix.Mkfifo(path, 0o600))
		case 0:
			if other := linked[info.GetIno()]; other != "" {
				must(os.Link(other, path))
				break
			}
			if int64(len(contents[recordKey(record)])) != info.GetSize() {
				t.Fatalf("the recording has %d of %d bytes of %q", len(contents[recordKey(record)]), info.GetSize(), path)
			}
			must(os.WriteFile(path, contents[recordKey(record)], 0o600))
			linked[info.GetIno()] = path
		default:
			t.Fatalf("%q has the mode %v", path, mode)
		}
	}
	slices.Reverse(entries) // a directory's time and mode after what is in it
	for _, record := range entries {
		path, mode := here.here(record.GetPathname()), fs.FileMode(record.GetFileInfo().GetMode())
		if mode.Type() != fs.ModeSymlink {
			must(os.Chmod(path, mode))
		}
		stamp := unix.NsecToTimespec(record.GetFileInfo().GetModTime().AsTime().UnixNano())
		must(unix.UtimesNanoAt(unix.AT_FDCWD, path, []unix.Timespec{stamp, stamp}, unix.AT_SYMLINK_NOFOLLOW))
	}
	return nil
}

// contents are those that an importer gave, by the keys of their records.
func contents(r *recording) map[string][]byte {
	contents := map[string][]byte{}
	for _, c := range r.calls {
		for _, answer := range c.answers {
			if a, ok := answer.(*importer.OpenResponse); ok {
				key := recordKey(c.requests[0].(*importer.OpenRequest).GetRecord())
				contents[key] = append(contents[key], a.GetChunk()...)
			}
		}
	}
	return contents
}

// makeRemovable gives the folders that nobody may write their owner's rights back, when the test is over.
func makeRemovable(t *testing.T, folder string) {
	t.Cleanup(func() {
		filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
			if err == nil && entry.IsDir() {
				os.Chmod(path, 0o700)
			}
			return nil
		})
	})
}

// exported is a record that the host sent, and its content.
type exported struct {
	record  *connectors.Record
	content []byte
}

// exportedBy collects what the host sent to an exporter.
func exportedBy(c *call) []exported {
	var all []exported
	for _, request := range c.requests {
		switch r := request.(*exporter.ExportRequest); r.GetPacket().(type) {
		case *exporter.ExportRequest_Record:
			all = append(all, exported{record: r.GetRecord()})
		case *exporter.ExportRequest_Chunk:
			last := &all[len(all)-1]
			last.content = append(last.content, r.GetChunk()...)
		}
	}
	return all
}

// treeDifferences compares what is on the disk with what the host sent.
func treeDifferences(root string, sent []exported) []string {
	var found []string
	differs := func(path, format string, values ...any) {
		found = append(found, fmt.Sprintf("%q ", path)+fmt.Sprintf(format, values...))
	}
	known := map[string]bool{}
	linked := map[uint64]fs.FileInfo{}
	for _, e := range sent {
		name, want := e.record.GetPathname(), e.record.GetFileInfo()
		path := filepath.Join(root, name)
		known[path] = true
		have, err := os.Lstat(path)
		if err != nil {
			differs(name, "cannot be seen: %v", err)
			continue
		}
		wantMode, haveMode := fs.FileMode(want.GetMode()), have.Mode()
		if want == nil { // generation 1.0 gives permissions by a call of their own, which may not have come
			wantMode = haveMode
		}
		if owner := have.Sys().(*syscall.Stat_t); uint64(owner.Uid) != want.GetUid() || uint64(owner.Gid) != want.GetGid() {
			// Not everyone can give a file to its owner, and one that belongs to somebody else better does not run as that one.
			wantMode, haveMode = wantMode&^(fs.ModeSetuid|fs.ModeSetgid), haveMode&^(fs.ModeSetuid|fs.ModeSetgid)
		}
		if haveMode != wantMode {
			differs(name, "has the mode %v instead of %v", haveMode, wantMode)
		}
		if stamp := want.GetModTime().AsTime(); want != nil && !have.ModTime().Equal(stamp) {
			differs(name, "has the time %v instead of %v", have.ModTime().UTC().Format(time.RFC3339Nano), stamp.Format(time.RFC3339Nano))
		}
		switch have.Mode().Type() {
		case fs.ModeSymlink:
			if target, err := os.Readlink(path); err != nil || target != e.record.GetTarget() {
				differs(name, "points to %q instead of %q (%v)", target, e.record.GetTarget(), err)
			}
		case 0:
			content, err := os.ReadFile(path)
			if err != nil || !bytes.Equal(content, e.content) || have.Size() != want.GetSize() {
				differs(name, "has %s instead of %s (%v)", digest(content), digest(e.content), err)
			}
			if other := linked[want.GetIno()]; other != nil && !os.SameFile(other, have) {
				differs(name, "is not the same file as %q", other.Name())
			}
			linked[want.GetIno()] = have
		}
	}
	filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			differs(path, "cannot be read: %v", err)
		} else if !known[path] {
			differs(path, "is there, and was not sent")
		}
		return nil
	})
	return found
}
