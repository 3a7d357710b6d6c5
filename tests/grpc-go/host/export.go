package host

import (
	"context"
	"errors"
	"fmt"
	"io"

	"kloset-sdk/tests/grpc-go/wire/connectors"
	"kloset-sdk/tests/grpc-go/wire/exporter"
)

// Export sends what feed hands to it and returns every result. The request stream is half-closed when feed returns,
// also when it returns an error in the middle of a file: so does the host when it cannot read what it sends.
func (e *Exporter) Export(ctx context.Context, feed func(*Feed) error) ([]*connectors.Result, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := e.Calls.Export(ctx)
	if err != nil {
		return nil, err
	}
	fed := make(chan error, 1)
	go func() {
		err := feed(&Feed{stream: stream})
		fed <- errors.Join(err, stream.CloseSend())
	}()
	var results []*connectors.Result
	for {
		message, err := stream.Recv()
		if err == io.EOF {
			break
		}
		if err != nil {
			cancel()
			<-fed
			return results, err
		}
		if message.GetResult().GetHeader() == nil {
			cancel()
			<-fed
			return results, errors.New("a result without a header came")
		}
		results = append(results, message.GetResult())
	}
	return results, <-fed
}

// Feed is what an exporter is fed through.
type Feed struct {
	stream exporter.Exporter_ExportClient
	buffer []byte
}

// Entry sends a record that has no content.
func (f *Feed) Entry(record *connectors.Record) error {
	return f.stream.Send(&exporter.ExportRequest{Packet: &exporter.ExportRequest_Record{Record: record}})
}

// Chunk sends a piece of the last record's content; an empty one ends it.
func (f *Feed) Chunk(chunk []byte) error {
	return f.stream.Send(&exporter.ExportRequest{Packet: &exporter.ExportRequest_Chunk{Chunk: chunk}})
}

// File sends a record and its content. When the content cannot be read, its end is not sent.
func (f *Feed) File(record *connectors.Record, content io.Reader) error {
	if err := f.Entry(record); err != nil {
		return err
	}
	if f.buffer == nil {
		f.buffer = make([]byte, ChunkSize)
	}
	for {
		n, err := io.ReadFull(content, f.buffer)
		if n > 0 {
			if err := f.Chunk(f.buffer[:n]); err != nil {
				return err
			}
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return f.Chunk(nil)
		}
		if err != nil {
			return err
		}
	}
}

// OneResultEach checks that there is exactly one result for each of the records that were sent.
func OneResultEach(sent []*connectors.Record, results []*connectors.Result) error {
	key := func(r *connectors.Record) string { return r.GetPathname() + "\x00" + r.GetXattrName() }
	missing := map[string]int{}
	for _, record := range sent {
		missing[key(record)]++
	}
	var problems []error
	for _, result := range results {
		missing[key(result.GetHeader())]--
	}
	for name, n := range missing {
		switch {
		case n > 0:
			problems = append(problems, fmt.Errorf("%q has no result", name))
		case n < 0:
			problems = append(problems, fmt.Errorf("%q has %d results too many", name, -n))
		}
	}
	return errors.Join(problems...)
}
