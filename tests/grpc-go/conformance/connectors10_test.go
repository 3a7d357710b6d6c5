package conformance

import (
	"context"
	"path/filepath"
	"testing"

	"kloset-sdk/tests/grpc-go/host"
	"kloset-sdk/tests/grpc-go/wire/store10"
)

// The same connectors under a host of generation 1.0, which starts them with its arguments after the role's.

func startImporter10(t *testing.T, ctx context.Context, c connector, folder string) *host.Importer10 {
	t.Helper()
	i, err := host.StartImporter10(ctx, c.with10("importer"), c.name, host.Config(c.name, folder, nil), options10(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { i.End() })
	return i
}

func startExporter10(t *testing.T, ctx context.Context, c connector, folder string) *host.Exporter10 {
	t.Helper()
	e, err := host.StartExporter10(ctx, c.with10("exporter"), c.name, host.Config(c.name, folder, nil), options10(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.End() })
	if e.Root != folder {
		t.Errorf("the root is %q instead of %q", e.Root, folder)
	}
	return e
}

func startStore10(t *testing.T, ctx context.Context, c connector, folder string) *host.Store10 {
	t.Helper()
	config := host.Config(c.name, folder, nil)
	s, err := host.StartStore10(ctx, c.with10("store"), c.name, config, options10(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.End() })
	if s.Location != config["location"] {
		t.Errorf("the location is %q instead of %q", s.Location, config["location"])
	}
	return s
}

func options10(t *testing.T) host.Options {
	return host.Options{Stderr: logged(t), ExitTimeout: promptly, MaxConcurrency: 4}
}

func createStore10(t *testing.T, ctx context.Context, c connector) (*host.Store10, string) {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "store")
	s := startStore10(t, ctx, c, folder)
	if _, err := s.Calls.Create(ctx, &store10.CreateRequest{Config: []byte("the configuration \x00\xff"), Cookie: s.Cookie}); err != nil {
		t.Fatal(err)
	}
	return s, folder
}

// reopen10 starts another process on a store.
func reopen10(t *testing.T, ctx context.Context, c connector, folder string) *host.Store10 {
	t.Helper()
	s := startStore10(t, ctx, c, folder)
	if _, err := s.Calls.Open(ctx, &store10.OpenRequest{Cookie: s.Cookie}); err != nil {
		t.Fatal(err)
	}
	return s
}
