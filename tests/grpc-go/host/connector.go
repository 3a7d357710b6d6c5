package host

import (
	"context"
	"errors"
	"maps"
	"os"
	"runtime"

	"kloset-sdk/tests/grpc-go/wire/connectors"
	"kloset-sdk/tests/grpc-go/wire/exporter"
	"kloset-sdk/tests/grpc-go/wire/importer"
	"kloset-sdk/tests/grpc-go/wire/store"
)

// Flags of a location, from the answer of Init.
const (
	FlagLocalFS     = 1
	FlagFile        = 2
	FlagStream      = 4
	FlagNeedAck     = 8
	FlagNoMerge     = 16
	FlagExportXattr = 32
)

// ChunkSize is the most that the host puts into one message.
const ChunkSize = 1 << 20

// Importer is a connector that was started as an importer.
type Importer struct {
	*Process
	Calls  importer.ImporterClient
	Answer *importer.InitResponse
}

// Exporter is a connector that was started as an exporter.
type Exporter struct {
	*Process
	Calls  exporter.ExporterClient
	Answer *exporter.InitResponse
}

// Store is a connector that was started as a store.
type Store struct {
	*Process
	Calls  store.StoreClient
	Answer *store.InitResponse
}

// Config is the configuration that every connector gets: its location, as <proto>://<rest>, and the user's options.
func Config(proto, rest string, options map[string]string) map[string]string {
	config := map[string]string{"location": proto + "://" + rest}
	maps.Copy(config, options)
	return config
}

// StartImporter starts a connector and calls Init. When Init fails the process is ended, and its error is returned.
func StartImporter(ctx context.Context, command []string, proto string, config map[string]string, options Options) (*Importer, error) {
	process, err := Start(command, options)
	if err != nil {
		return nil, err
	}
	i := &Importer{Process: process, Calls: importer.NewImporterClient(process.Client)}
	i.Answer, err = i.Calls.Init(ctx, &importer.InitRequest{Options: told(options), Proto: proto, Config: config})
	if err != nil {
		return nil, errors.Join(err, process.End())
	}
	return i, nil
}

// StartExporter starts a connector and calls Init. When Init fails the process is ended, and its error is returned.
func StartExporter(ctx context.Context, command []string, proto string, config map[string]string, options Options) (*Exporter, error) {
	process, err := Start(command, options)
	if err != nil {
		return nil, err
	}
	e := &Exporter{Process: process, Calls: exporter.NewExporterClient(process.Client)}
	e.Answer, err = e.Calls.Init(ctx, &exporter.InitRequest{Options: told(options), Proto: proto, Config: config})
	if err != nil {
		return nil, errors.Join(err, process.End())
	}
	return e, nil
}

// StartStore starts a connector and calls Init. When Init fails the process is ended, and its error is returned.
func StartStore(ctx context.Context, command []string, proto string, config map[string]string, options Options) (*Store, error) {
	process, err := Start(command, options)
	if err != nil {
		return nil, err
	}
	s := &Store{Process: process, Calls: store.NewStoreClient(process.Client)}
	s.Answer, err = s.Calls.Init(ctx, &store.InitRequest{Proto: proto, Config: config})
	if err != nil {
		return nil, errors.Join(err, process.End())
	}
	return s, nil
}

// Close says Close and then ends the process.
func (i *Importer) Close(ctx context.Context) error {
	_, err := i.Calls.Close(ctx, &importer.CloseRequest{})
	return errors.Join(err, i.End())
}

// Close says Close and then ends the process.
func (e *Exporter) Close(ctx context.Context) error {
	_, err := e.Calls.Close(ctx, &exporter.CloseRequest{})
	return errors.Join(err, e.End())
}

// Close says Close and then ends the process.
func (s *Store) Close(ctx context.Context) error {
	_, err := s.Calls.Close(ctx, &store.CloseRequest{})
	return errors.Join(err, s.End())
}

func told(options Options) *connectors.Options {
	hostname, _ := os.Hostname()
	folder, _ := os.Getwd()
	return &connectors.Options{
		Hostname:       hostname,
		Os:             runtime.GOOS,
		Arch:           runtime.GOARCH,
		Cwd:            folder,
		Maxconcurrency: int64(max(options.MaxConcurrency, 1)),
		Excludes:       options.Excludes,
		Noxattr:        options.NoXattr,
	}
}
