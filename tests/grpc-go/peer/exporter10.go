package main

import (
	"context"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"kloset-sdk/tests/grpc-go/wire/exporter10"
)

type exporterServer10 struct {
	exporter10.UnimplementedExporterServer
}

func (s *exporterServer10) Init(_ context.Context, request *exporter10.InitRequest) (*exporter10.InitResponse, error) {
	if request.GetOptions() == nil {
		return nil, status.Error(codes.InvalidArgument, "the request has no options")
	}
	if _, err := parse(request.GetConfig()); err != nil {
		return nil, err
	}
	return &exporter10.InitResponse{}, nil
}

func (s *exporterServer10) Root(context.Context, *exporter10.RootRequest) (*exporter10.RootResponse, error) {
	return &exporter10.RootResponse{RootPath: "/"}, nil
}

func (s *exporterServer10) CreateDirectory(context.Context, *exporter10.CreateDirectoryRequest) (*exporter10.CreateDirectoryResponse, error) {
	return &exporter10.CreateDirectoryResponse{}, nil
}

func (s *exporterServer10) SetPermissions(context.Context, *exporter10.SetPermissionsRequest) (*exporter10.SetPermissionsResponse, error) {
	return &exporter10.SetPermissionsResponse{}, nil
}

func (s *exporterServer10) CreateLink(context.Context, *exporter10.CreateLinkRequest) (*exporter10.CreateLinkResponse, error) {
	return &exporter10.CreateLinkResponse{}, nil
}

func (s *exporterServer10) Close(context.Context, *exporter10.CloseRequest) (*exporter10.CloseResponse, error) {
	return &exporter10.CloseResponse{}, nil
}

func (s *exporterServer10) StoreFile(stream grpc.ClientStreamingServer[exporter10.StoreFileRequest, exporter10.StoreFileResponse]) error {
	first, err := stream.Recv()
	if err == io.EOF || err == nil && first.GetHeader() == nil {
		return status.Error(codes.InvalidArgument, "the first message holds no header")
	}
	if err != nil {
		return err
	}
	total, err := receive(func() ([]byte, error) {
		message, err := stream.Recv()
		return message.GetData().GetChunk(), err
	})
	if err != nil {
		return err
	}
	if announced := first.GetHeader().GetSize(); uint64(total) != announced {
		return status.Errorf(codes.DataLoss, "%s: %d bytes came of %d", first.GetHeader().GetPathname(), total, announced)
	}
	return stream.SendAndClose(&exporter10.StoreFileResponse{})
}
