// Package conformance tries filesystem connectors as Plakar would use them. Which ones, the environment variable
// KLOSET_CONNECTORS tells: a list of name=command, separated by ";". See ../README.md.
package conformance

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"kloset-sdk/tests/grpc-go/host"
)

const variable = "KLOSET_CONNECTORS"

func TestMain(m *testing.M) {
	if os.Getenv(variable) == "" {
		fmt.Println("skipped: " + variable + " names no connectors")
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// connector is an executable with the three roles; its name is its protocol.
type connector struct {
	name    string
	command []string
}

// with is the command line of a role.
func (c connector) with(role string) []string {
	return append(append([]string{}, c.command...), role)
}

// with10 is the command line of a role, in generation 1.0.
func (c connector) with10(role string) []string {
	return append(c.with(role), host.Arguments10...)
}

// each runs a test once for every connector.
func each(t *testing.T, test func(t *testing.T, c connector)) {
	t.Helper()
	for _, text := range strings.Split(os.Getenv(variable), ";") {
		text = strings.TrimSpace(text)
		if text == "" {
			continue
		}
		name, command, found := strings.Cut(text, "=")
		if !found || len(strings.Fields(command)) == 0 {
			t.Fatalf("%s: %q is not name=command", variable, text)
		}
		t.Run(name, func(t *testing.T) { test(t, connector{name: name, command: strings.Fields(command)}) })
	}
}

// guarded is a context that ends a test which hangs.
func guarded(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// logged keeps what a connector says on stderr, and shows it when the test has failed.
func logged(t *testing.T) *logBuffer {
	log := &logBuffer{}
	t.Cleanup(func() {
		if t.Failed() && log.String() != "" {
			t.Logf("the connector's stderr:\n%s", log.String())
		}
	})
	return log
}

type logBuffer struct {
	mutex  sync.Mutex
	buffer bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.buffer.Write(p)
}

func (l *logBuffer) String() string {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.buffer.String()
}

func startImporter(t *testing.T, ctx context.Context, c connector, folder string, options host.Options) *host.Importer {
	t.Helper()
	options.Stderr, options.ExitTimeout = logged(t), promptly
	i, err := host.StartImporter(ctx, c.with("importer"), c.name, host.Config(c.name, folder, nil), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { i.End() })
	return i
}

func startExporter(t *testing.T, ctx context.Context, c connector, folder string) *host.Exporter {
	t.Helper()
	e, err := host.StartExporter(ctx, c.with("exporter"), c.name, host.Config(c.name, folder, nil), host.Options{Stderr: logged(t), ExitTimeout: promptly})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.End() })
	return e
}

func startStore(t *testing.T, ctx context.Context, c connector, folder string) *host.Store {
	t.Helper()
	s, err := host.StartStore(ctx, c.with("store"), c.name, host.Config(c.name, folder, nil), host.Options{Stderr: logged(t), ExitTimeout: promptly})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.End() })
	return s
}

// closed says Close and expects the process to end well.
func closed(t *testing.T, ctx context.Context, c interface{ Close(context.Context) error }) {
	t.Helper()
	if err := c.Close(ctx); err != nil {
		t.Error(err)
	}
}
