package host

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/types/known/timestamppb"

	"kloset-sdk/tests/grpc-go/wire/connectors"
)

// Tree makes the records of a local directory as an exporter gets them: parents first, the directory itself as "/",
// every path below it. With xattrs, the records of extended attributes follow after all entries.
func Tree(root string, xattrs bool) ([]*connectors.Record, error) {
	var entries, attributes []*connectors.Record
	err := filepath.WalkDir(root, func(local string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		below, err := filepath.Rel(root, local)
		if err != nil {
			return err
		}
		record, err := Entry(local, path.Join("/", filepath.ToSlash(below)))
		if err != nil {
			return err
		}
		entries = append(entries, record)
		if !xattrs {
			record.ExtendedAttributes = nil
		}
		for _, name := range record.ExtendedAttributes {
			attributes = append(attributes, &connectors.Record{
				HasReader: true, Pathname: record.Pathname, IsXattr: true, XattrName: name,
			})
		}
		return nil
	})
	return append(entries, attributes...), err
}

// Entry makes the record of a local file under another path.
func Entry(local, pathname string) (*connectors.Record, error) {
	info, err := os.Lstat(local)
	if err != nil {
		return nil, err
	}
	record := &connectors.Record{
		HasReader: info.Mode().IsRegular(),
		Pathname:  pathname,
		FileInfo: &connectors.FileInfo{
			Name:    info.Name(),
			Size:    info.Size(),
			Mode:    uint32(info.Mode()),
			ModTime: timestamppb.New(info.ModTime()),
		},
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		record.FileInfo.Dev = uint64(stat.Dev)
		record.FileInfo.Ino = stat.Ino
		record.FileInfo.Uid = uint64(stat.Uid)
		record.FileInfo.Gid = uint64(stat.Gid)
		record.FileInfo.Nlink = uint32(min(stat.Nlink, 65535))
	}
	if info.Mode().Type() == fs.ModeSymlink {
		if record.Target, err = os.Readlink(local); err != nil {
			return nil, err
		}
	}
	record.ExtendedAttributes, err = XattrNames(local)
	return record, err
}

// XattrNames lists the extended attributes of a file, none where the file system has none.
func XattrNames(local string) ([]string, error) {
	buffer := make([]byte, 64<<10)
	n, err := unix.Llistxattr(local, buffer)
	if err == unix.ENOTSUP {
		return nil, nil
	}
	if err != nil {
		return nil, &fs.PathError{Op: "llistxattr", Path: local, Err: err}
	}
	var names []string
	for start, i := 0, 0; i < n; i++ {
		if buffer[i] == 0 {
			names = append(names, string(buffer[start:i]))
			start = i + 1
		}
	}
	return names, nil
}

// Xattr reads an extended attribute of a file.
func Xattr(local, name string) ([]byte, error) {
	buffer := make([]byte, 64<<10)
	n, err := unix.Lgetxattr(local, name, buffer)
	if err != nil {
		return nil, &fs.PathError{Op: "lgetxattr " + name, Path: local, Err: err}
	}
	return buffer[:n], nil
}
