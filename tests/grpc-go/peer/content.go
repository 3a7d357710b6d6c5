package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"io/fs"
	"time"

	"kloset-sdk/tests/grpc-go/pattern"
)

var modified = time.Unix(1_700_000_000, 0)

// tree gives the made-up tree, entry by entry, until give has had enough.
func (s settings) tree(give func(pathname string, mode fs.FileMode, size int64) bool) {
	give("/", fs.ModeDir|0o755, 0)
	give("/f", fs.ModeDir|0o755, 0)
	for i := range s.files {
		if !give(fmt.Sprintf("/f/%07d", i), 0o644, s.size) {
			return
		}
	}
	if s.records == 0 {
		return
	}
	give("/r", fs.ModeDir|0o755, 0)
	for i := range s.records {
		if !give(fmt.Sprintf("/r/%07d", i), 0o644, 0) {
			return
		}
	}
}

// madeUp reads made-up content: the same block over and over.
type madeUp struct {
	at, end int64
}

func (m *madeUp) Read(p []byte) (int, error) {
	if m.at >= m.end {
		return 0, io.EOF
	}
	n := copy(p[:min(int64(len(p)), m.end-m.at)], pattern.Block[m.at%int64(len(pattern.Block)):])
	m.at += int64(n)
	return n, nil
}

// send reads content into a buffer and sends what each read gave.
func send(content io.Reader, chunk func([]byte) error) error {
	buffer := make([]byte, 1<<20)
	for {
		n, err := content.Read(buffer)
		if n > 0 {
			if err := chunk(buffer[:n]); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// discard reads content to its end through a buffer and counts it.
func discard(content io.Reader, buffer []byte) (int64, error) {
	var total int64
	for {
		n, err := content.Read(buffer)
		total += int64(n)
		if err == io.EOF {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}

// receive hands received chunks through a pipe to the one who consumes them, and counts what came until io.EOF.
func receive(chunk func() ([]byte, error)) (int64, error) {
	reader, writer := io.Pipe()
	go func() {
		for {
			content, err := chunk()
			if err != nil {
				writer.CloseWithError(err) // io.EOF is the end of the content
				return
			}
			if _, err := writer.Write(content); err != nil {
				return
			}
		}
	}()
	return discard(reader, make([]byte, 256<<10))
}

// part is a part of a packfile, or what there is of it.
func (s settings) part(offset uint64, length uint32) *madeUp {
	at := int64(min(offset, uint64(s.size)))
	return &madeUp{at: at, end: min(at+int64(length), s.size)}
}

// listed makes as many MACs as were asked for.
func (s settings) listed() [][]byte {
	macs := make([][]byte, s.macs)
	for i := range macs {
		macs[i] = make([]byte, 32)
		binary.BigEndian.PutUint64(macs[i], uint64(i))
	}
	return macs
}
