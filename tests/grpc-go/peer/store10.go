package main

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"kloset-sdk/tests/grpc-go/wire/store10"
)

type storeServer10 struct {
	store10.UnimplementedStoreServer
	settings settings
	location string
}

func (s *storeServer10) Init(_ context.Context, request *store10.InitRequest) (*store10.InitResponse, error) {
	var err error
	if s.settings, err = parse(request.GetConfig()); err != nil {
		return nil, err
	}
	s.location = request.GetConfig()["location"]
	return &store10.InitResponse{}, nil
}

func (s *storeServer10) Create(context.Context, *store10.CreateRequest) (*store10.CreateResponse, error) {
	return &store10.CreateResponse{}, nil
}

func (s *storeServer10) Open(context.Context, *store10.OpenRequest) (*store10.OpenResponse, error) {
	return &store10.OpenResponse{Config: []byte("made up")}, nil
}

func (s *storeServer10) Close(context.Context, *store10.CloseRequest) (*store10.CloseResponse, error) {
	return &store10.CloseResponse{}, nil
}

func (s *storeServer10) GetLocation(context.Context, *store10.GetLocationRequest) (*store10.GetLocationResponse, error) {
	return &store10.GetLocationResponse{Location: s.location}, nil
}

func (s *storeServer10) GetMode(context.Context, *store10.GetModeRequest) (*store10.GetModeResponse, error) {
	return &store10.GetModeResponse{Mode: 6}, nil
}

func (s *storeServer10) GetSize(context.Context, *store10.GetSizeRequest) (*store10.GetSizeResponse, error) {
	return &store10.GetSizeResponse{Size: -1}, nil
}

// What the three kinds of objects have in common.

func (s *storeServer10) list() []*store10.MAC {
	macs := make([]*store10.MAC, s.settings.macs)
	for i, mac := range s.settings.listed() {
		macs[i] = &store10.MAC{Value: mac}
	}
	return macs
}

// piece is a message of any Put.
type piece interface {
	GetMac() *store10.MAC
	GetChunk() []byte
}

func put10[P piece](next func() (P, error)) (int64, error) {
	first, err := next()
	if err != nil {
		return 0, err
	}
	if n := len(first.GetMac().GetValue()); n != 32 {
		return 0, status.Errorf(codes.InvalidArgument, "a MAC of %d bytes", n)
	}
	return receive(func() ([]byte, error) {
		message, err := next()
		return message.GetChunk(), err
	})
}

func (s *storeServer10) GetStates(context.Context, *store10.GetStatesRequest) (*store10.GetStatesResponse, error) {
	return &store10.GetStatesResponse{Macs: s.list()}, nil
}

func (s *storeServer10) PutState(stream grpc.ClientStreamingServer[store10.PutStateRequest, store10.PutStateResponse]) error {
	total, err := put10(stream.Recv)
	if err != nil {
		return err
	}
	return stream.SendAndClose(&store10.PutStateResponse{BytesWritten: total})
}

func (s *storeServer10) GetState(_ *store10.GetStateRequest, stream grpc.ServerStreamingServer[store10.GetStateResponse]) error {
	return send(&madeUp{end: s.settings.size}, func(chunk []byte) error {
		return stream.Send(&store10.GetStateResponse{Chunk: chunk})
	})
}

func (s *storeServer10) DeleteState(context.Context, *store10.DeleteStateRequest) (*store10.DeleteStateResponse, error) {
	return &store10.DeleteStateResponse{}, nil
}

func (s *storeServer10) GetPackfiles(context.Context, *store10.GetPackfilesRequest) (*store10.GetPackfilesResponse, error) {
	return &store10.GetPackfilesResponse{Macs: s.list()}, nil
}

func (s *storeServer10) PutPackfile(stream grpc.ClientStreamingServer[store10.PutPackfileRequest, store10.PutPackfileResponse]) error {
	total, err := put10(stream.Recv)
	if err != nil {
		return err
	}
	return stream.SendAndClose(&store10.PutPackfileResponse{BytesWritten: total})
}

func (s *storeServer10) GetPackfile(_ *store10.GetPackfileRequest, stream grpc.ServerStreamingServer[store10.GetPackfileResponse]) error {
	return send(&madeUp{end: s.settings.size}, func(chunk []byte) error {
		return stream.Send(&store10.GetPackfileResponse{Chunk: chunk})
	})
}

func (s *storeServer10) GetPackfileBlob(request *store10.GetPackfileBlobRequest, stream grpc.ServerStreamingServer[store10.GetPackfileBlobResponse]) error {
	return send(s.settings.part(request.GetOffset(), request.GetLength()), func(chunk []byte) error {
		return stream.Send(&store10.GetPackfileBlobResponse{Chunk: chunk})
	})
}

func (s *storeServer10) DeletePackfile(context.Context, *store10.DeletePackfileRequest) (*store10.DeletePackfileResponse, error) {
	return &store10.DeletePackfileResponse{}, nil
}

func (s *storeServer10) GetLocks(context.Context, *store10.GetLocksRequest) (*store10.GetLocksResponse, error) {
	return &store10.GetLocksResponse{Macs: s.list()}, nil
}

func (s *storeServer10) PutLock(stream grpc.ClientStreamingServer[store10.PutLockRequest, store10.PutLockResponse]) error {
	total, err := put10(stream.Recv)
	if err != nil {
		return err
	}
	return stream.SendAndClose(&store10.PutLockResponse{BytesWritten: total})
}

func (s *storeServer10) GetLock(_ *store10.GetLockRequest, stream grpc.ServerStreamingServer[store10.GetLockResponse]) error {
	return send(&madeUp{end: s.settings.size}, func(chunk []byte) error {
		return stream.Send(&store10.GetLockResponse{Chunk: chunk})
	})
}

func (s *storeServer10) DeleteLock(context.Context, *store10.DeleteLockRequest) (*store10.DeleteLockResponse, error) {
	return &store10.DeleteLockResponse{}, nil
}
