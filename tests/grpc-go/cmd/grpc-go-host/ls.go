package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"

	"kloset-sdk/tests/grpc-go/host"
	"kloset-sdk/tests/grpc-go/wire/connectors"
)

// listing is what was read of an importer.
type listing struct {
	Root     string            `json:"root"`
	Records  int               `json:"records"`
	Files    int               `json:"files"`
	Xattrs   int               `json:"xattrs"`
	Bytes    int64             `json:"bytes"`
	Errors   int               `json:"errors"`
	Problems []string          `json:"problems,omitempty"`
	Digests  map[string]string `json:"digests,omitempty"`
}

func runList(ctx context.Context, arguments []string) error {
	c := newFlags("ls", "fs", "/")
	concurrency := c.Int("concurrency", 1, "how many workers open records at once; the queue of records is as long")
	digests := c.Bool("digests", false, "tell the SHA-256 of every content")
	c.Var(&c.excludes, "exclude", "a `pattern` to leave out, may be repeated")
	c.BoolVar(&c.noXattr, "noxattr", false, "ask for no extended attributes")
	ctx, cancel, words, command, err := c.parse(ctx, arguments)
	if err != nil {
		return err
	}
	defer cancel()
	if len(command) == 0 {
		return errNoCommand
	}
	if len(words) > 0 {
		return fmt.Errorf("%q is one word too many", words[0])
	}
	connector, err := host.StartImporter(ctx, command, c.proto, c.configuration(nil), c.options(*concurrency))
	if err != nil {
		return err
	}
	result, err := read(ctx, connector, *concurrency, *digests)
	result.Root = connector.Answer.GetRoot()
	if err := errors.Join(err, connector.Close(ctx)); err != nil {
		return err
	}
	return printJSON(result)
}

func read(ctx context.Context, connector *host.Importer, concurrency int, digests bool) (*listing, error) {
	result := &listing{Digests: map[string]string{}}
	var mutex sync.Mutex
	err := connector.Read(ctx, concurrency, func(ctx context.Context, record *connectors.Record) error {
		content, digest, err := readContent(ctx, connector, record, digests)
		mutex.Lock()
		defer mutex.Unlock()
		result.Records++
		result.Bytes += content
		name := record.GetPathname()
		if record.GetIsXattr() {
			name += " " + record.GetXattrName()
			result.Xattrs++
		} else if record.GetHasReader() {
			result.Files++
		}
		if text := record.GetError(); text != "" {
			result.Errors++
			result.Problems = append(result.Problems, name+": "+text)
		}
		if err != nil {
			result.Errors++
			result.Problems = append(result.Problems, name+": "+err.Error())
		} else if digest != "" {
			result.Digests[name] = digest
		}
		return err
	})
	return result, err
}

func readContent(ctx context.Context, connector *host.Importer, record *connectors.Record, digests bool) (total int64, digest string, err error) {
	if !record.GetHasReader() {
		return 0, "", nil
	}
	sum := sha256.New()
	err = connector.Content(ctx, record, func(chunk []byte) error {
		total += int64(len(chunk))
		if digests {
			sum.Write(chunk)
		}
		return nil
	})
	if digests {
		digest = hex.EncodeToString(sum.Sum(nil))
	}
	return total, digest, err
}
