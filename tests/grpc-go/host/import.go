package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"kloset-sdk/tests/grpc-go/wire/connectors"
	"kloset-sdk/tests/grpc-go/wire/importer"
)

// Read reads the importer to its end, as a backup does: records come into a queue as long as there are workers, each
// worker visits a record while Import still runs, and the record's result is sent when its visit is over. What visit
// returns is the error that the result tells the connector.
func (i *Importer) Read(ctx context.Context, workers int, visit func(context.Context, *connectors.Record) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := i.Calls.Import(ctx)
	if err != nil {
		return err
	}
	workers = max(workers, 1)
	records := make(chan *connectors.Record, workers)
	results := make(chan *connectors.Result, workers)

	var visiting sync.WaitGroup
	for range workers {
		visiting.Go(func() {
			for record := range records {
				result := &connectors.Result{Header: record}
				if err := visit(ctx, record); err != nil {
					result.Error = err.Error()
				}
				results <- result
			}
		})
	}
	sent := make(chan error, 1)
	go func() { sent <- sendResults(stream, results) }()

	err = receiveRecords(ctx, stream, records)
	if err != nil {
		cancel()
	}
	close(records)
	visiting.Wait()
	close(results)
	sendErr := <-sent
	if err != nil {
		return err
	}
	// After the last result the connector has nothing more to say.
	if message, err := stream.Recv(); err == nil {
		return fmt.Errorf("a message came after the last result: %v", message)
	} else if err != io.EOF {
		return err
	}
	return sendErr
}

func receiveRecords(ctx context.Context, stream importer.Importer_ImportClient, records chan<- *connectors.Record) error {
	for {
		message, err := stream.Recv()
		if err == io.EOF {
			return errors.New("the records ended without the message that finishes them")
		}
		if err != nil {
			return err
		}
		if message.GetFinished() {
			return nil
		}
		record := message.GetRecord()
		if record == nil {
			return errors.New("a message held neither a record nor the end of the records")
		}
		select {
		case records <- record:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// sendResults sends until the channel is closed and then half-closes. It goes on taking results after an error, so
// that no worker waits for ever.
func sendResults(stream importer.Importer_ImportClient, results <-chan *connectors.Result) error {
	var failed error
	for result := range results {
		if failed == nil {
			failed = stream.Send(&importer.ImportRequest{Result: result})
		}
	}
	return errors.Join(failed, stream.CloseSend())
}

// Content reads a record's content, handing over chunk after chunk.
func (i *Importer) Content(ctx context.Context, record *connectors.Record, take func(chunk []byte) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := i.Calls.Open(ctx, OpenRequest(record))
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
		chunk := message.GetChunk()
		if len(chunk) == 0 {
			return fmt.Errorf("an empty chunk came for %q", record.GetPathname())
		}
		if err := take(chunk); err != nil {
			return err
		}
	}
}

// OpenRequest names a record in the few fields that the host sends.
func OpenRequest(record *connectors.Record) *importer.OpenRequest {
	return &importer.OpenRequest{Record: &connectors.Record{
		Pathname:  record.GetPathname(),
		IsXattr:   record.GetIsXattr(),
		XattrName: record.GetXattrName(),
		XattrType: record.GetXattrType(),
		Target:    record.GetTarget(),
	}}
}
