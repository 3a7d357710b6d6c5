package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"

	"kloset-sdk/tests/grpc-go/wire/connectors"
	"kloset-sdk/tests/grpc-go/wire/exporter10"
)

// The two kinds of links.
const (
	HardLink10     = 0
	SymbolicLink10 = 1
)

// CreateDirectory calls the method of this name.
func (e *Exporter10) CreateDirectory(ctx context.Context, pathname string) error {
	_, err := e.Calls.CreateDirectory(ctx, &exporter10.CreateDirectoryRequest{Pathname: pathname, Cookie: e.Cookie})
	return err
}

// CreateLink calls the method of this name.
func (e *Exporter10) CreateLink(ctx context.Context, oldname, newname string, kind uint32) error {
	_, err := e.Calls.CreateLink(ctx, &exporter10.CreateLinkRequest{Oldname: oldname, Newname: newname, Ltype: kind, Cookie: e.Cookie})
	return err
}

// SetPermissions sends what plakar knows of an entry; its size is not among it.
func (e *Exporter10) SetPermissions(ctx context.Context, pathname string, info *connectors.FileInfo) error {
	_, err := e.Calls.SetPermissions(ctx, &exporter10.SetPermissionsRequest{
		Pathname: pathname,
		FileInfo: &exporter10.FileInfo{
			Name: info.GetName(), Mode: info.GetMode(), ModTime: info.GetModTime(), Dev: info.GetDev(), Ino: info.GetIno(),
			Uid: info.GetUid(), Gid: info.GetGid(), Nlink: info.GetNlink(),
			Username: info.GetUsername(), Groupname: info.GetGroupname(), Flags: info.GetFlags(),
		},
		Cookie: e.Cookie,
	})
	return err
}

// StoreFile sends a file. When the content cannot be read, plakar half-closes the call, waits for whatever answer and
// keeps its own error: that less has come than was announced is all that tells.
func (e *Exporter10) StoreFile(ctx context.Context, pathname string, size int64, content io.Reader) error {
	stream, err := e.BeginFile(ctx, pathname, size)
	if err != nil {
		return err
	}
	if size == 0 { // plakar sends a message without content here
		if err := e.SendContent(stream, nil); err != nil && err != io.EOF {
			return err
		}
	}
	buffer := make([]byte, ChunkSize)
	for {
		n, err := content.Read(buffer)
		if err == io.EOF {
			break
		}
		if err != nil {
			stream.CloseAndRecv()
			return err
		}
		// A send that finds the stream ended says io.EOF; the answer tells why.
		if err := e.SendContent(stream, buffer[:n]); err == io.EOF {
			break
		} else if err != nil {
			return err
		}
	}
	_, err = stream.CloseAndRecv()
	return err
}

// BeginFile opens a StoreFile and sends its header.
func (e *Exporter10) BeginFile(ctx context.Context, pathname string, size int64) (exporter10.Exporter_StoreFileClient, error) {
	stream, err := e.Calls.StoreFile(ctx)
	if err != nil {
		return nil, err
	}
	header := &exporter10.StoreFileRequest_Header{Header: &exporter10.StoreFileHeader{Pathname: pathname, Size: uint64(size)}}
	if err := stream.Send(&exporter10.StoreFileRequest{Packet: header, Cookie: e.Cookie}); err != nil && err != io.EOF {
		return nil, err
	}
	return stream, nil
}

// SendContent sends a piece of a file.
func (e *Exporter10) SendContent(stream exporter10.Exporter_StoreFileClient, chunk []byte) error {
	data := &exporter10.StoreFileRequest_Data{Data: &exporter10.StoreFileData{Chunk: chunk}}
	return stream.Send(&exporter10.StoreFileRequest{Packet: data, Cookie: e.Cookie})
}

// restore10 is a restore under way.
type restore10 struct {
	e      *Exporter10
	open   func(record *connectors.Record) (io.ReadCloser, error)
	mutex  sync.Mutex
	errors map[string]error
	links  sync.Mutex           // held while the first of several hard links is made
	first  map[[2]uint64]string // which that was
}

// Restore sends entries, parents first, as plakar does: directories and symbolic links as they come, files in workers, the
// permissions of directories at the end. The root itself is neither made nor given permissions, and what is neither
// file, directory nor symbolic link is left out. It returns what failed.
func (e *Exporter10) Restore(ctx context.Context, workers int, records []*connectors.Record, open func(record *connectors.Record) (io.ReadCloser, error)) map[string]error {
	r := &restore10{e: e, open: open, errors: map[string]error{}, first: map[[2]uint64]string{}}
	files := make(chan *connectors.Record)
	var working sync.WaitGroup
	for range max(workers, 1) {
		working.Go(func() {
			for record := range files {
				r.failed(record, r.file(ctx, record))
			}
		})
	}
	var directories []*connectors.Record
	for _, record := range records {
		destination, info := r.destination(record), record.GetFileInfo()
		switch mode := fs.FileMode(info.GetMode()); {
		case record.GetPathname() == "/":
		case mode.IsDir():
			r.failed(record, e.CreateDirectory(ctx, destination))
			directories = append(directories, record)
		case mode.Type() == fs.ModeSymlink:
			err := e.CreateLink(ctx, record.GetTarget(), destination, SymbolicLink10)
			if err == nil {
				err = e.SetPermissions(ctx, destination, info)
			}
			r.failed(record, err)
		case mode.IsRegular():
			files <- record
		}
	}
	close(files)
	working.Wait()
	depth := func(record *connectors.Record) int { return strings.Count(record.GetPathname(), "/") }
	slices.SortStableFunc(directories, func(a, b *connectors.Record) int { return depth(b) - depth(a) })
	for _, record := range directories {
		r.failed(record, e.SetPermissions(ctx, r.destination(record), record.GetFileInfo()))
	}
	return r.errors
}

func (r *restore10) destination(record *connectors.Record) string {
	return path.Join(r.e.Root, record.GetPathname())
}

func (r *restore10) failed(record *connectors.Record, err error) {
	if err != nil {
		r.mutex.Lock()
		defer r.mutex.Unlock()
		r.errors[record.GetPathname()] = errors.Join(r.errors[record.GetPathname()], err)
	}
}

// file makes one file, or a link to the one that it is another name of.
func (r *restore10) file(ctx context.Context, record *connectors.Record) error {
	destination, info := r.destination(record), record.GetFileInfo()
	if info.GetNlink() > 1 {
		r.links.Lock()
		defer r.links.Unlock()
		key := [2]uint64{info.GetDev(), info.GetIno()}
		if other, found := r.first[key]; found {
			return r.e.CreateLink(ctx, other, destination, HardLink10)
		}
		r.first[key] = destination
	}
	content, err := r.open(record)
	if err != nil {
		return err
	}
	defer content.Close()
	if err := r.e.CreateDirectory(ctx, path.Dir(destination)); err != nil {
		return fmt.Errorf("its directory: %w", err)
	}
	if err := r.e.StoreFile(ctx, destination, info.GetSize(), content); err != nil {
		return err
	}
	return r.e.SetPermissions(ctx, destination, info)
}
