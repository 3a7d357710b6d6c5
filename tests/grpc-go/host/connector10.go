package host

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"kloset-sdk/tests/grpc-go/wire/exporter10"
	"kloset-sdk/tests/grpc-go/wire/importer10"
	"kloset-sdk/tests/grpc-go/wire/store10"
)

// Arguments10 are what a manifest for hosts of generation 1.0 adds to a connector's arguments.
var Arguments10 = []string{"--protocol", "1.0"}

// Importer10 is an instance of an importer of generation 1.0. A process may hold several.
type Importer10 struct {
	*Process
	Calls  importer10.ImporterClient
	Cookie string
	Told   *importer10.InfoResponse
}

// Exporter10 is an instance of an exporter of generation 1.0. A process may hold several.
type Exporter10 struct {
	*Process
	Calls  exporter10.ExporterClient
	Cookie string
	Root   string
}

// Store10 is an instance of a store of generation 1.0. A process may hold several.
type Store10 struct {
	*Process
	Calls    store10.StoreClient
	Cookie   string
	Location string
}

// StartImporter10 starts a connector and makes one instance of it. When that fails the process is ended, and its error
// is returned.
func StartImporter10(ctx context.Context, command []string, proto string, config map[string]string, options Options) (*Importer10, error) {
	process, err := Start(command, options)
	if err != nil {
		return nil, err
	}
	i, err := process.Importer10(ctx, proto, config, options)
	if err != nil {
		return nil, errors.Join(err, process.End())
	}
	return i, nil
}

// StartExporter10 starts a connector and makes one instance of it. When that fails the process is ended, and its error
// is returned.
func StartExporter10(ctx context.Context, command []string, proto string, config map[string]string, options Options) (*Exporter10, error) {
	process, err := Start(command, options)
	if err != nil {
		return nil, err
	}
	e, err := process.Exporter10(ctx, proto, config, options)
	if err != nil {
		return nil, errors.Join(err, process.End())
	}
	return e, nil
}

// StartStore10 starts a connector and makes one instance of it. When that fails the process is ended, and its error is
// returned.
func StartStore10(ctx context.Context, command []string, proto string, config map[string]string, options Options) (*Store10, error) {
	process, err := Start(command, options)
	if err != nil {
		return nil, err
	}
	s, err := process.Store10(ctx, proto, config)
	if err != nil {
		return nil, errors.Join(err, process.End())
	}
	return s, nil
}

// Importer10 makes an instance in a process that runs: Init, and Info as often as plakar asks, which is once for each
// thing that it wants to know.
func (p *Process) Importer10(ctx context.Context, protocol string, config map[string]string, options Options) (*Importer10, error) {
	i := &Importer10{Process: p, Calls: importer10.NewImporterClient(p.Client)}
	all := told(options)
	answer, err := i.Calls.Init(ctx, &importer10.InitRequest{
		Options: &importer10.Options{
			Hostname: all.Hostname, Os: all.Os, Arch: all.Arch, Cwd: all.Cwd, Maxconcurrency: all.Maxconcurrency,
		},
		Proto:  protocol,
		Config: config,
	})
	if err != nil {
		return nil, err
	}
	if answer.Error != nil { // the other way to tell one
		return nil, errors.New(answer.GetError())
	}
	i.Cookie = answer.GetCookie()
	for range 6 {
		told, err := i.Calls.Info(ctx, &importer10.InfoRequest{Cookie: i.Cookie})
		if err != nil {
			return nil, err
		}
		if i.Told != nil && !proto.Equal(i.Told, told) {
			return nil, fmt.Errorf("Info says %v after it said %v", told, i.Told)
		}
		i.Told = told
	}
	return i, nil
}

// Exporter10 makes an instance in a process that runs: Init and Root.
func (p *Process) Exporter10(ctx context.Context, protocol string, config map[string]string, options Options) (*Exporter10, error) {
	e := &Exporter10{Process: p, Calls: exporter10.NewExporterClient(p.Client)}
	answer, err := e.Calls.Init(ctx, &exporter10.InitRequest{
		Options: &exporter10.Options{Maxconcurrency: told(options).Maxconcurrency},
		Proto:   protocol,
		Config:  config,
	})
	if err != nil {
		return nil, err
	}
	e.Cookie = answer.GetCookie()
	root, err := e.Calls.Root(ctx, &exporter10.RootRequest{Cookie: e.Cookie})
	e.Root = root.GetRootPath()
	return e, err
}

// Store10 makes an instance in a process that runs: Init and GetLocation.
func (p *Process) Store10(ctx context.Context, protocol string, config map[string]string) (*Store10, error) {
	s := &Store10{Process: p, Calls: store10.NewStoreClient(p.Client)}
	answer, err := s.Calls.Init(ctx, &store10.InitRequest{Proto: protocol, Config: config})
	if err != nil {
		return nil, err
	}
	s.Cookie = answer.GetCookie()
	location, err := s.Calls.GetLocation(ctx, &store10.GetLocationRequest{Cookie: s.Cookie})
	s.Location = location.GetLocation()
	return s, err
}

// Leave says Close for this instance. The process goes on.
func (i *Importer10) Leave(ctx context.Context) error {
	_, err := i.Calls.Close(ctx, &importer10.CloseRequest{Cookie: i.Cookie})
	return err
}

// Leave says Close for this instance. The process goes on.
func (e *Exporter10) Leave(ctx context.Context) error {
	_, err := e.Calls.Close(ctx, &exporter10.CloseRequest{Cookie: e.Cookie})
	return err
}

// Leave says Close for this instance. The process goes on.
func (s *Store10) Leave(ctx context.Context) error {
	_, err := s.Calls.Close(ctx, &store10.CloseRequest{Cookie: s.Cookie})
	return err
}

// Close says Close and then ends the process.
func (i *Importer10) Close(ctx context.Context) error { return errors.Join(i.Leave(ctx), i.End()) }

// Close says Close and then ends the process.
func (e *Exporter10) Close(ctx context.Context) error { return errors.Join(e.Leave(ctx), e.End()) }

// Close says Close and then ends the process.
func (s *Store10) Close(ctx context.Context) error { return errors.Join(s.Leave(ctx), s.End()) }
