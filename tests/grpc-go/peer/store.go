package main

import (
	"context"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"kloset-sdk/tests/grpc-go/wire/store"
)

type storeServer struct {
	store.UnimplementedStoreServer
	settings settings
}

func (s *storeServer) Init(_ context.Context, request *store.InitRequest) (*store.InitResponse, error) {
	var err error
	if s.settings, err = parse(request.GetConfig()); err != nil {
		return nil, err
	}
	return &store.InitResponse{Origin: "localhost", Type: request.GetProto(), Root: "/"}, nil
}

func (s *storeServer) Create(context.Context, *store.CreateRequest) (*store.CreateResponse, error) {
	return &store.CreateResponse{}, nil
}

func (s *storeServer) Open(context.Context, *store.OpenRequest) (*store.OpenResponse, error) {
	return &store.OpenResponse{Config: []byte("made up")}, nil
}

func (s *storeServer) Ping(context.Context, *store.PingRequest) (*store.PingResponse, error) {
	return &store.PingResponse{}, nil
}

func (s *storeServer) Mode(context.Context, *store.ModeRequest) (*store.ModeResponse, error) {
	return &store.ModeResponse{Mode: 6}, nil
}

func (s *storeServer) Size(context.Context, *store.SizeRequest) (*store.SizeResponse, error) {
	return &store.SizeResponse{Size: -1}, nil
}

func (s *storeServer) Close(context.Context, *store.CloseRequest) (*store.CloseResponse, error) {
	return &store.CloseResponse{}, nil
}

func (s *storeServer) Delete(context.Context, *store.DeleteRequest) (*store.DeleteResponse, error) {
	return &store.DeleteResponse{}, nil
}

func (s *storeServer) List(context.Context, *store.ListRequest) (*store.ListResponse, error) {
	return &store.ListResponse{Macs: s.settings.listed()}, nil
}

func (s *storeServer) Put(stream grpc.ClientStreamingServer[store.PutRequest, store.PutResponse]) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	if len(first.GetMac()) != 32 {
		return status.Errorf(codes.InvalidArgument, "a MAC of %d bytes", len(first.GetMac()))
	}
	total, err := receive(func() ([]byte, error) {
		message, err := stream.Recv()
		return message.GetChunk(), err
	})
	if err != nil {
		return err
	}
	return stream.SendAndClose(&store.PutResponse{BytesWritten: total})
}

func (s *storeServer) Get(request *store.GetRequest, stream grpc.ServerStreamingServer[store.GetResponse]) error {
	time.Sleep(s.settings.latency())
	content := &madeUp{end: s.settings.size}
	if part := request.GetRange(); part != nil {
		content = s.settings.part(part.GetOffset(), part.GetLength())
	}
	return send(content, func(chunk []byte) error {
		return stream.Send(&store.GetResponse{Chunk: chunk})
	})
}
