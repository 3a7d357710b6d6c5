package conformance

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"kloset-sdk/tests/grpc-go/host"
)

const mib = 1 << 20

// colour is the value of the extended attribute user.color; it is no text.
var colour = []byte("blue\x00\xff green")

// makeTree makes a directory that holds something of everything, and tells whether it could have attributes too.
func makeTree(t *testing.T) (root string, attributes bool) {
	t.Helper()
	root = filepath.Join(t.TempDir(), "tree")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	at := func(name string) string { return filepath.Join(root, name) }
	folders := []string{".", "sub", "sub/deeper", "sticky", "shared", "readonly", "hollow"}
	for _, name := range folders {
		must(os.Mkdir(at(name), 0o755))
	}
	for name, content := range map[string][]byte{
		"empty":                            nil,
		"one-mib":                          bytes.Repeat([]byte("0123456789abcdef"), mib/16),
		"one-mib-less-one":                 bytes.Repeat([]byte("x"), mib-1),
		"one-mib-and-one":                  bytes.Repeat([]byte("y"), mib+1),
		"large":                            bytes.Repeat([]byte("large content, "), 300_000),
		"sub/private":                      []byte("secret\n"),
		"sub/tool":                         []byte("#!/bin/sh\n"),
		"sub/group-tool":                   []byte("#!/bin/sh\n"),
		"sub/deeper/naïve – 文.txt":         []byte("unicode name\n"),
		"sub/with space \n newline":        []byte("odd\n"),
		"hard-one":                         []byte("linked\n"),
		"coloured":                         []byte("has an attribute\n"),
		"readonly/inside":                  []byte("in a directory that nobody may write\n"),
		"sub/*?[a] \\ \"quoted\" 'name' #": []byte("a name full of signs\n"),
	} {
		must(os.WriteFile(at(name), content, 0o644))
	}
	must(os.Link(at("hard-one"), at("sub/hard-two")))
	must(os.Symlink("sub/private", at("link")))
	must(os.Symlink("/nowhere/at all", at("sub/dangling")))
	must(unix.Mkfifo(at("fifo"), 0o640))
	for name, mode := range map[string]fs.FileMode{
		"sub/private":    0o600,
		"sub/tool":       0o755 | fs.ModeSetuid,
		"sub/group-tool": 0o755 | fs.ModeSetgid,
		"sticky":         0o777 | fs.ModeSticky,
		"shared":         0o775 | fs.ModeSetgid,
		"fifo":           0o640,
		"empty":          0o444,
	} {
		must(os.Chmod(at(name), mode))
	}
	err := unix.Lsetxattr(at("coloured"), "user.color", colour, 0)
	attributes = err == nil
	if !attributes {
		t.Logf("extended attributes are left out: %v", err)
	}

	// Times at the end, children before their directory, each with nanoseconds of its own.
	var paths []string
	must(filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		paths = append(paths, path)
		return err
	}))
	slices.Reverse(paths)
	for i, path := range paths {
		stamp := time.Unix(1_600_000_000+int64(i)*86_400, 123_456_789+int64(i))
		times := []unix.Timespec{unix.NsecToTimespec(stamp.UnixNano()), unix.NsecToTimespec(stamp.UnixNano())}
		must(unix.UtimesNanoAt(unix.AT_FDCWD, path, times, unix.AT_SYMLINK_NOFOLLOW))
	}
	must(os.Chmod(at("readonly"), 0o555))
	t.Cleanup(func() { os.Chmod(at("readonly"), 0o755) }) // or it could not be removed
	return root, attributes
}

// compareTrees expects a copy to be like its original. The roots themselves are not compared.
func compareTrees(t *testing.T, original, copied string, attributes bool) {
	t.Helper()
	for _, name := range namesBelow(t, copied) {
		if _, err := os.Lstat(filepath.Join(original, name)); err != nil {
			t.Errorf("%q is in the copy only", name)
		}
	}
	for _, name := range namesBelow(t, original) {
		want, err := os.Lstat(filepath.Join(original, name))
		if err != nil {
			t.Fatal(err)
		}
		have, err := os.Lstat(filepath.Join(copied, name))
		if err != nil {
			if want.Mode().Type() != fs.ModeNamedPipe { // which an exporter may have no means to make
				t.Error(err)
			}
			continue
		}
		compareFiles(t, original, copied, name, want, have, attributes)
	}
}

func compareFiles(t *testing.T, original, copied, name string, want, have fs.FileInfo, attributes bool) {
	t.Helper()
	if want.Mode() != have.Mode() {
		t.Errorf("%q has the mode %v instead of %v", name, have.Mode(), want.Mode())
	}
	if !want.ModTime().Equal(have.ModTime()) {
		t.Errorf("%q has the time %v instead of %v", name, have.ModTime(), want.ModTime())
	}
	wantOwner, haveOwner := want.Sys().(*syscall.Stat_t), have.Sys().(*syscall.Stat_t)
	if wantOwner.Uid != haveOwner.Uid || wantOwner.Gid != haveOwner.Gid {
		t.Errorf("%q belongs to %d:%d instead of %d:%d", name, haveOwner.Uid, haveOwner.Gid, wantOwner.Uid, wantOwner.Gid)
	}
	switch want.Mode().Type() {
	case fs.ModeSymlink:
		wantTarget, _ := os.Readlink(filepath.Join(original, name))
		if haveTarget, err := os.Readlink(filepath.Join(copied, name)); err != nil || haveTarget != wantTarget {
			t.Errorf("%q points to %q instead of %q (%v)", name, haveTarget, wantTarget, err)
		}
	case 0:
		wantContent, err := os.ReadFile(filepath.Join(original, name))
		if err != nil {
			t.Fatal(err)
		}
		if haveContent, err := os.ReadFile(filepath.Join(copied, name)); err != nil || !bytes.Equal(haveContent, wantContent) {
			t.Errorf("the content of %q differs: %d bytes instead of %d (%v)", name, len(haveContent), len(wantContent), err)
		}
		if wantOwner.Nlink != haveOwner.Nlink {
			t.Errorf("%q has %d links instead of %d", name, haveOwner.Nlink, wantOwner.Nlink)
		}
	}
	if !attributes || want.Mode()&(fs.ModeSymlink|fs.ModeNamedPipe) != 0 {
		return
	}
	names, err := host.XattrNames(filepath.Join(original, name))
	if err != nil {
		t.Fatal(err)
	}
	for _, attribute := range names {
		wantValue, err := host.Xattr(filepath.Join(original, name), attribute)
		if err != nil {
			t.Fatal(err)
		}
		if haveValue, err := host.Xattr(filepath.Join(copied, name), attribute); err != nil || !bytes.Equal(haveValue, wantValue) {
			t.Errorf("the attribute %s of %q is %q instead of %q (%v)", attribute, name, haveValue, wantValue, err)
		}
	}
}

// namesBelow lists everything below a directory, relative to it.
func namesBelow(t *testing.T, root string) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		name, err := filepath.Rel(root, path)
		names = append(names, name)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}
