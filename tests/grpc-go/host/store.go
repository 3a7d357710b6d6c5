package host

import (
	"context"
	"errors"
	"fmt"
	"io"

	"kloset-sdk/tests/grpc-go/wire/store"
)

// MACSize is the length of every MAC.
const MACSize = 32

// Put stores what content gives until its end, and returns how much the store says it has written.
func (s *Store) Put(ctx context.Context, kind store.StorageResource, mac []byte, content io.Reader) (int64, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := s.BeginPut(ctx, kind, mac)
	if err != nil {
		return 0, err
	}
	buffer := make([]byte, ChunkSize)
	for {
		n, err := io.ReadFull(content, buffer)
		if n > 0 {
			// A send that finds the stream ended says io.EOF; the answer tells why.
			if err := stream.Send(&store.PutRequest{Chunk: buffer[:n]}); err == io.EOF {
				break
			} else if err != nil {
				return 0, err
			}
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			break
		}
		if err != nil {
			return 0, err
		}
	}
	answer, err := stream.CloseAndRecv()
	return answer.GetBytesWritten(), err
}

// BeginPut opens a Put and sends the message that names the object.
func (s *Store) BeginPut(ctx context.Context, kind store.StorageResource, mac []byte) (store.Store_PutClient, error) {
	stream, err := s.Calls.Put(ctx)
	if err != nil {
		return nil, err
	}
	if err := stream.Send(&store.PutRequest{Mac: mac, Type: kind}); err != nil && err != io.EOF {
		return nil, err
	}
	return stream, nil
}

// Get hands over an object, or the part of it that is asked for, chunk after chunk.
func (s *Store) Get(ctx context.Context, kind store.StorageResource, mac []byte, part *store.Range, take func(chunk []byte) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := s.Calls.Get(ctx, &store.GetRequest{Mac: mac, Type: kind, Range: part})
	if err != nil {
		return err
	}
	for {
		message, err := stream.Recv()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if len(message.GetChunk()) == 0 {
			return errors.New("an empty chunk came")
		}
		if err := take(message.GetChunk()); err != nil {
			return err
		}
	}
}

// List returns the MACs of the objects of a kind.
func (s *Store) List(ctx context.Context, kind store.StorageResource) ([][]byte, error) {
	answer, err := s.Calls.List(ctx, &store.ListRequest{Type: kind})
	if err != nil {
		return nil, err
	}
	for _, mac := range answer.GetMacs() {
		if len(mac) != MACSize {
			return nil, fmt.Errorf("a MAC of %d bytes was listed", len(mac))
		}
	}
	return answer.GetMacs(), nil
}

// Delete removes an object.
func (s *Store) Delete(ctx context.Context, kind store.StorageResource, mac []byte) error {
	_, err := s.Calls.Delete(ctx, &store.DeleteRequest{Mac: mac, Type: kind})
	return err
}
