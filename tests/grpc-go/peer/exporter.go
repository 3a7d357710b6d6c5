package main

import (
	"context"
	"errors"
	"io"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"kloset-sdk/tests/grpc-go/wire/connectors"
	"kloset-sdk/tests/grpc-go/wire/exporter"
)

type exporterServer struct {
	exporter.UnimplementedExporterServer
	total   int64
	latency time.Duration // of storing a file
}

func (s *exporterServer) Init(_ context.Context, request *exporter.InitRequest) (*exporter.InitResponse, error) {
	if request.GetOptions() == nil {
		return nil, status.Error(codes.InvalidArgument, "the request has no options")
	}
	settings, err := parse(request.GetConfig())
	if err != nil {
		return nil, err
	}
	s.latency = settings.latency()
	return &exporter.InitResponse{Origin: "localhost", Type: request.GetProto(), Root: "/"}, nil
}

func (s *exporterServer) Ping(context.Context, *exporter.PingRequest) (*exporter.PingResponse, error) {
	return &exporter.PingResponse{}, nil
}

func (s *exporterServer) Close(context.Context, *exporter.CloseRequest) (*exporter.CloseResponse, error) {
	return &exporter.CloseResponse{}, nil
}

// arrival is a record with its content, nil where it has none.
type arrival struct {
	record  *connectors.Record
	content io.Reader
}

var errTruncated = errors.New("the host broke off in the middle of a file")

func (s *exporterServer) Export(stream grpc.BidiStreamingServer[exporter.ExportRequest, exporter.ExportResponse]) error {
	arrivals := make(chan arrival)
	results := make(chan *connectors.Result)
	go func() {
		defer close(results)
		buffer := make([]byte, 256<<10)
		for a := range arrivals {
			results <- s.store(a, buffer)
		}
	}()
	sent := make(chan error, 1)
	go func() { sent <- sendResults(stream, results) }()
	err := receiveArrivals(stream, arrivals)
	close(arrivals)
	return errors.Join(err, <-sent)
}

func (s *exporterServer) store(a arrival, buffer []byte) *connectors.Result {
	result := &connectors.Result{Header: a.record}
	if a.content != nil {
		n, err := discard(a.content, buffer)
		s.total += n
		time.Sleep(s.latency)
		if err != nil {
			result.Error = err.Error()
		}
	}
	return result
}

func sendResults(stream grpc.BidiStreamingServer[exporter.ExportRequest, exporter.ExportResponse], results <-chan *connectors.Result) error {
	var failed error
	for result := range results {
		if failed == nil {
			failed = stream.Send(&exporter.ExportResponse{Result: result})
		}
	}
	return failed
}

func receiveArrivals(stream grpc.BidiStreamingServer[exporter.ExportRequest, exporter.ExportResponse], arrivals chan<- arrival) error {
	var content *io.PipeWriter // of the file that is arriving
	defer func() {
		if content != nil {
			content.CloseWithError(errTruncated)
		}
	}()
	for {
		message, err := stream.Recv()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		switch packet := message.GetPacket().(type) {
		case *exporter.ExportRequest_Record:
			if content != nil {
				return status.Error(codes.InvalidArgument, "a record came in the middle of a file")
			}
			a := arrival{record: packet.Record}
			if packet.Record.GetHasReader() {
				var reader *io.PipeReader
				reader, content = io.Pipe()
				a.content = reader
			}
			arrivals <- a
		case *exporter.ExportRequest_Chunk:
			if content == nil {
				return status.Error(codes.InvalidArgument, "a chunk came outside of a file")
			}
			if len(packet.Chunk) == 0 {
				content.Close()
				content = nil
			} else if _, err := content.Write(packet.Chunk); err != nil {
				return err
			}
		}
	}
}
