package host

import (
	"context"
	"errors"
	"fmt"
	"io"

	"google.golang.org/grpc"

	"kloset-sdk/tests/grpc-go/wire/store10"
)

// Kind10 is a kind of objects, as it stands in the names of the store's methods. Of all three kinds the methods have the
// same messages, so that the name is all that differs between them.
type Kind10 string

// The three kinds that generation 1.0 has.
const (
	State10    Kind10 = "State"
	Packfile10 Kind10 = "Packfile"
	Lock10     Kind10 = "Lock"
)

func (k Kind10) method(verb, plural string) string {
	return "/store.Store/" + verb + string(k) + plural
}

var (
	uploads10   = &grpc.StreamDesc{ClientStreams: true}
	downloads10 = &grpc.StreamDesc{ServerStreams: true}
)

// Put10 is a Put under way.
type Put10 struct {
	stream grpc.ClientStreamingClient[store10.PutStateRequest, store10.PutStateResponse]
	cookie string
}

// BeginPut opens a Put and sends the message that names the object.
func (s *Store10) BeginPut(ctx context.Context, kind Kind10, mac []byte) (*Put10, error) {
	stream, err := s.Client.NewStream(ctx, uploads10, kind.method("Put", ""))
	if err != nil {
		return nil, err
	}
	p := &Put10{cookie: s.Cookie, stream: &grpc.GenericClientStream[store10.PutStateRequest, store10.PutStateResponse]{ClientStream: stream}}
	if err := p.stream.Send(&store10.PutStateRequest{Mac: &store10.MAC{Value: mac}, Cookie: p.cookie}); err != nil && err != io.EOF {
		return nil, err
	}
	return p, nil
}

// Send sends a piece of the object. It says io.EOF where the call has ended early; End tells why.
func (p *Put10) Send(chunk []byte) error {
	return p.stream.Send(&store10.PutStateRequest{Chunk: chunk, Cookie: p.cookie})
}

// End ends the object, and returns how much the store says it has written.
func (p *Put10) End() (int64, error) {
	answer, err := p.stream.CloseAndRecv()
	return answer.GetBytesWritten(), err
}

// Put stores what content gives until its end, and returns how much the store says it has written.
func (s *Store10) Put(ctx context.Context, kind Kind10, mac []byte, content io.Reader) (int64, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	put, err := s.BeginPut(ctx, kind, mac)
	if err != nil {
		return 0, err
	}
	buffer := make([]byte, ChunkSize)
	for {
		n, err := content.Read(buffer)
		if n > 0 {
			if err := put.Send(buffer[:n]); err == io.EOF {
				break
			} else if err != nil {
				return 0, err
			}
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return 0, err
		}
	}
	return put.End()
}

// Get hands over an object, chunk after chunk.
func (s *Store10) Get(ctx context.Context, kind Kind10, mac []byte, take func(chunk []byte) error) error {
	request := &store10.GetStateRequest{Mac: &store10.MAC{Value: mac}, Cookie: s.Cookie}
	return download10(ctx, s, kind.method("Get", ""), request, take)
}

// GetBlob hands over a part of a packfile, chunk after chunk.
func (s *Store10) GetBlob(ctx context.Context, mac []byte, offset uint64, length uint32, take func(chunk []byte) error) error {
	request := &store10.GetPackfileBlobRequest{Mac: &store10.MAC{Value: mac}, Offset: offset, Length: length, Cookie: s.Cookie}
	return download10(ctx, s, store10.Store_GetPackfileBlob_FullMethodName, request, take)
}

func download10[Q any](ctx context.Context, s *Store10, method string, request *Q, take func(chunk []byte) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	raw, err := s.Client.NewStream(ctx, downloads10, method)
	if err != nil {
		return err
	}
	stream := &grpc.GenericClientStream[Q, store10.GetStateResponse]{ClientStream: raw}
	if err := stream.SendMsg(request); err != nil && err != io.EOF { // the answer tells why it has ended
		return err
	}
	if err := stream.CloseSend(); err != nil {
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
func (s *Store10) List(ctx context.Context, kind Kind10) ([][]byte, error) {
	answer := &store10.GetStatesResponse{}
	if err := s.Client.Invoke(ctx, kind.method("Get", "s"), &store10.GetStatesRequest{Cookie: s.Cookie}, answer); err != nil {
		return nil, err
	}
	var macs [][]byte
	for _, mac := range answer.GetMacs() {
		if len(mac.GetValue()) != MACSize {
			return nil, fmt.Errorf("a MAC of %d bytes was listed", len(mac.GetValue()))
		}
		macs = append(macs, mac.GetValue())
	}
	return macs, nil
}

// Delete removes an object.
func (s *Store10) Delete(ctx context.Context, kind Kind10, mac []byte) error {
	request := &store10.DeleteStateRequest{Mac: &store10.MAC{Value: mac}, Cookie: s.Cookie}
	return s.Client.Invoke(ctx, kind.method("Delete", ""), request, &store10.DeleteStateResponse{})
}
