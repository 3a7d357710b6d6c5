package main

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"path"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"kloset-sdk/tests/grpc-go/wire/importer10"
)

// importerServer10 has one instance, as the Go SDK of that generation: cookies are empty.
type importerServer10 struct {
	importer10.UnimplementedImporterServer
	settings settings

	mutex sync.Mutex
	held  map[string]func() io.Reader // what opens the records whose reader was not closed
}

func (s *importerServer10) Init(_ context.Context, request *importer10.InitRequest) (*importer10.InitResponse, error) {
	if request.GetOptions() == nil {
		return nil, status.Error(codes.InvalidArgument, "the request has no options")
	}
	var err error
	if s.settings, err = parse(request.GetConfig()); err != nil {
		return nil, err
	}
	s.held = map[string]func() io.Reader{}
	return &importer10.InitResponse{}, nil
}

func (s *importerServer10) Info(context.Context, *importer10.InfoRequest) (*importer10.InfoResponse, error) {
	return &importer10.InfoResponse{Type: "bench", Origin: "localhost", Root: "/"}, nil
}

func (s *importerServer10) Close(context.Context, *importer10.CloseRequest) (*importer10.CloseResponse, error) {
	return &importer10.CloseResponse{}, nil
}

// found10 is a record as the scan gives it.
type found10 struct {
	pathname string
	record   *importer10.ScanRecord
	open     func() io.Reader
}

func (s *importerServer10) scan(ctx context.Context, found chan<- found10) {
	s.settings.tree(func(pathname string, mode fs.FileMode, size int64) bool {
		f := found10{pathname: pathname, record: &importer10.ScanRecord{Fileinfo: &importer10.FileInfo{
			Name: path.Base(pathname), Size: size, Mode: uint32(mode), ModTime: timestamppb.New(modified), Nlink: 1,
		}}}
		if mode.IsRegular() {
			f.open = func() io.Reader { return &madeUp{end: size} }
		}
		select {
		case found <- f:
			return true
		case <-ctx.Done():
			return false
		}
	})
}

func (s *importerServer10) Scan(_ *importer10.ScanRequest, stream grpc.ServerStreamingServer[importer10.ScanResponse]) error {
	found := make(chan found10)
	go func() {
		defer close(found)
		s.scan(stream.Context(), found)
	}()
	for f := range found {
		if f.open != nil {
			s.mutex.Lock()
			s.held[f.pathname] = f.open
			s.mutex.Unlock()
		}
		err := stream.Send(&importer10.ScanResponse{Pathname: f.pathname, Result: &importer10.ScanResponse_Record{Record: f.record}})
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *importerServer10) OpenReader(request *importer10.OpenReaderRequest, stream grpc.ServerStreamingServer[importer10.OpenReaderResponse]) error {
	s.mutex.Lock()
	open := s.held[request.GetPathname()]
	s.mutex.Unlock()
	if open == nil {
		return fmt.Errorf("no reader for pathname %s", request.GetPathname())
	}
	return send(open(), func(chunk []byte) error {
		return stream.Send(&importer10.OpenReaderResponse{Chunk: chunk})
	})
}

func (s *importerServer10) CloseReader(_ context.Context, request *importer10.CloseReaderRequest) (*importer10.CloseReaderResponse, error) {
	s.mutex.Lock()
	delete(s.held, request.GetPathname())
	s.mutex.Unlock()
	return &importer10.CloseReaderResponse{}, nil
}
