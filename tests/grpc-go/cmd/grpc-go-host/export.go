package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"kloset-sdk/tests/grpc-go/host"
	"kloset-sdk/tests/grpc-go/wire/connectors"
)

// exported is what became of a tree that was sent.
type exported struct {
	Root     string   `json:"root"`
	Records  int      `json:"records"`
	Results  int      `json:"results"`
	Bytes    int64    `json:"bytes"`
	Errors   int      `json:"errors"`
	Problems []string `json:"problems,omitempty"`
}

func runExport(ctx context.Context, arguments []string) error {
	c := newFlags("export", "fs", "/")
	concurrency := c.Int("concurrency", 1, "the concurrency that the exporter is told")
	ctx, cancel, words, command, err := c.parse(ctx, arguments)
	if err != nil {
		return err
	}
	defer cancel()
	if len(command) == 0 {
		return errNoCommand
	}
	if len(words) != 1 {
		return errors.New("one local directory has to be named")
	}
	connector, err := host.StartExporter(ctx, command, c.proto, c.configuration(nil), c.options(*concurrency))
	if err != nil {
		return err
	}
	result, err := export(ctx, connector, words[0])
	if err := errors.Join(err, connector.Close(ctx)); err != nil {
		return err
	}
	return printJSON(result)
}

func export(ctx context.Context, connector *host.Exporter, folder string) (*exported, error) {
	records, err := host.Tree(folder, connector.Answer.GetFlags()&host.FlagExportXattr != 0)
	if err != nil {
		return nil, err
	}
	result := &exported{Root: connector.Answer.GetRoot(), Records: len(records)}
	results, err := connector.Export(ctx, func(feed *host.Feed) error {
		for _, record := range records {
			n, err := feedLocal(feed, folder, record)
			result.Bytes += n
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	result.Results = len(results)
	for _, r := range results {
		if r.GetError() != "" {
			result.Errors++
			result.Problems = append(result.Problems, fmt.Sprintf("%s: %s", r.GetHeader().GetPathname(), r.GetError()))
		}
	}
	return result, host.OneResultEach(records, results)
}

// feedLocal sends a record with the content that its path has below a local folder.
func feedLocal(feed *host.Feed, folder string, record *connectors.Record) (int64, error) {
	local := filepath.Join(folder, filepath.FromSlash(record.GetPathname()))
	switch {
	case record.GetIsXattr():
		value, err := host.Xattr(local, record.GetXattrName())
		if err != nil {
			return 0, err
		}
		return int64(len(value)), feed.File(record, bytes.NewReader(value))
	case record.GetHasReader():
		file, err := os.Open(local)
		if err != nil {
			return 0, err
		}
		defer file.Close()
		counted := &counter{from: file}
		err = feed.File(record, counted)
		return counted.n, err
	default:
		return 0, feed.Entry(record)
	}
}

// counter counts what is read through it.
type counter struct {
	from io.Reader
	n    int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.from.Read(p)
	c.n += int64(n)
	return n, err
}
