package main

import (
	"io"

	"kloset-sdk/tests/grpc-go/pattern"
)

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
