package main

import (
	"context"
	"io"
	"io/fs"
	"path"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"kloset-sdk/tests/grpc-go/wire/connectors"
	"kloset-sdk/tests/grpc-go/wire/importer"
)

type importerServer struct {
	importer.UnimplementedImporterServer
	settings settings

	mutex sync.Mutex
	held  map[string]func() io.Reader // what opens the records that have no result yet
}

func (s *importerServer) Init(_ context.Context, request *importer.InitRequest) (*importer.InitResponse, error) {
	if request.GetOptions() == nil {
		return nil, status.Error(codes.InvalidArgument, "the request has no options")
	}
	var err error
	if s.settings, err = parse(request.GetConfig()); err != nil {
		return nil, err
	}
	s.held = map[string]func() io.Reader{}
	return &importer.InitResponse{Origin: "localhost", Type: request.GetProto(), Root: "/"}, nil
}

func (s *importerServer) Ping(context.Context, *importer.PingRequest) (*importer.PingResponse, error) {
	return &importer.PingResponse{}, nil
}

func (s *importerServer) Close(context.Context, *importer.CloseRequest) (*importer.CloseResponse, error) {
	return &importer.CloseResponse{}, nil
}

// entry is a record as the scan gives it.
type entry struct {
	record *connectors.Record
	open   func() io.Reader
}

func (s *importerServer) scan(ctx context.Context, entries chan<- entry) {
	s.settings.tree(func(pathname string, mode fs.FileMode, size int64) bool {
		e := entry{record: &connectors.Record{
			Pathname:  pathname,
			HasReader: mode.IsRegular(),
			FileInfo: &connectors.FileInfo{
				Name: path.Base(pathname), Size: size, Mode: uint32(mode), ModTime: timestamppb.New(modified), Nlink: 1,
			},
		}}
		if mode.IsRegular() {
			e.open = func() io.Reader {
				time.Sleep(s.settings.latency())
				return &madeUp{end: size}
			}
		}
		select {
		case entries <- e:
			return true
		case <-ctx.Done():
			return false
		}
	})
}

func (s *importerServer) Import(stream grpc.BidiStreamingServer[importer.ImportRequest, importer.ImportResponse]) error {
	entries := make(chan entry)
	go func() {
		defer close(entries)
		s.scan(stream.Context(), entries)
	}()
	sent := make(chan error, 1)
	go func() { sent <- s.sendRecords(stream, entries) }()
	if err := s.receiveResults(stream); err != nil {
		return err
	}
	return <-sent
}

func (s *importerServer) sendRecords(stream grpc.BidiStreamingServer[importer.ImportRequest, importer.ImportResponse], entries <-chan entry) error {
	for e := range entries {
		if e.open != nil {
			s.mutex.Lock()
			s.held[e.record.Pathname] = e.open
			s.mutex.Unlock()
		}
		if err := stream.Send(&importer.ImportResponse{Record: e.record}); err != nil {
			return err
		}
	}
	return stream.Send(&importer.ImportResponse{Finished: true})
}

func (s *importerServer) receiveResults(stream grpc.BidiStreamingServer[importer.ImportRequest, importer.ImportResponse]) error {
	for {
		message, err := stream.Recv()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		s.mutex.Lock()
		delete(s.held, message.GetResult().GetHeader().GetPathname())
		s.mutex.Unlock()
	}
}

func (s *importerServer) Open(request *importer.OpenRequest, stream grpc.ServerStreamingServer[importer.OpenResponse]) error {
	pathname := request.GetRecord().GetPathname()
	s.mutex.Lock()
	open := s.held[pathname]
	s.mutex.Unlock()
	if open == nil {
		return status.Errorf(codes.NotFound, "%s has no content that could be opened", pathname)
	}
	return send(open(), func(chunk []byte) error {
		return stream.Send(&importer.OpenResponse{Chunk: chunk})
	})
}
