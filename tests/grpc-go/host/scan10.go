package host

import (
	"context"
	"fmt"
	"io"
	"sync"

	"kloset-sdk/tests/grpc-go/wire/importer10"
)

// scanQueue is how many records plakar takes ahead of its workers.
const scanQueue = 1000

// Read makes one Scan and reads it to its end, while workers visit what came. What a visit gives back is only counted as a
// failure: nothing is acknowledged in this generation.
func (i *Importer10) Read(ctx context.Context, workers int, visit func(ctx context.Context, found *importer10.ScanResponse) error) (failures int, err error) {
	stream, err := i.Calls.Scan(ctx, &importer10.ScanRequest{Cookie: i.Cookie})
	if err != nil {
		return 0, err
	}
	found := make(chan *importer10.ScanResponse, scanQueue)
	var visiting sync.WaitGroup
	var mutex sync.Mutex
	for range max(workers, 1) {
		visiting.Go(func() {
			for one := range found {
				if visit(ctx, one) != nil {
					mutex.Lock()
					failures++
					mutex.Unlock()
				}
			}
		})
	}
	for err == nil {
		var one *importer10.ScanResponse
		if one, err = stream.Recv(); err != nil {
			break
		}
		if one.GetResult() == nil {
			err = fmt.Errorf("%q came with neither a record nor an error", one.GetPathname())
			break
		}
		found <- one
	}
	close(found)
	visiting.Wait()
	if err == io.EOF {
		err = nil
	}
	return failures, err
}

// Content reads the content of a record, handing over chunk after chunk, and closes the reader. Where it is not read to its
// end, plakar leaves the call as it is and closes the reader all the same; so does this.
func (i *Importer10) Content(ctx context.Context, pathname string, take func(chunk []byte) error) error {
	err := i.Open(ctx, pathname, take)
	_, closeErr := i.Calls.CloseReader(ctx, &importer10.CloseReaderRequest{Pathname: pathname, Cookie: i.Cookie})
	if err == nil && closeErr != nil {
		err = fmt.Errorf("CloseReader of %q: %w", pathname, closeErr)
	}
	return err
}

// Open reads the content of a record and leaves its reader open.
func (i *Importer10) Open(ctx context.Context, pathname string, take func(chunk []byte) error) error {
	stream, err := i.Calls.OpenReader(ctx, &importer10.OpenReaderRequest{Pathname: pathname, Cookie: i.Cookie})
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
			return fmt.Errorf("an empty chunk came for %q", pathname)
		}
		if err := take(chunk); err != nil {
			return err
		}
	}
}
