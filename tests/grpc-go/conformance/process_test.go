package conformance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"kloset-sdk/tests/grpc-go/host"
	"kloset-sdk/tests/grpc-go/wire/exporter"
	"kloset-sdk/tests/grpc-go/wire/importer"
)

// promptly is how long a process may take to end by itself.
const promptly = 5 * time.Second

var roles = []string{"importer", "exporter", "store"}

// started is a connector in any role.
type started interface {
	End() error
	PID() int
	Signal(syscall.Signal) error
	Close(context.Context) error
}

// startRole starts a connector on a new directory.
func startRole(t *testing.T, ctx context.Context, c connector, role string) started {
	t.Helper()
	options := host.Options{Stderr: logged(t), ExitTimeout: promptly}
	config := host.Config(c.name, t.TempDir(), nil)
	var process started
	var err error
	switch role {
	case "importer":
		process, err = host.StartImporter(ctx, c.with(role), c.name, config, options)
	case "exporter":
		process, err = host.StartExporter(ctx, c.with(role), c.name, config, options)
	case "store":
		process, err = host.StartStore(ctx, c.with(role), c.name, config, options)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { process.End() })
	return process
}

func Test_a_process_ends_by_itself_at_the_end_of_its_stdin(t *testing.T) {
	each(t, func(t *testing.T, c connector) {
		for _, role := range roles {
			t.Run("as "+role+" without Close", func(t *testing.T) {
				if err := startRole(t, guarded(t), c, role).End(); err != nil {
					t.Error(err)
				}
			})
			t.Run("as "+role+" before any call", func(t *testing.T) {
				p, err := host.Start(c.with(role), host.Options{Stderr: logged(t), ExitTimeout: promptly})
				if err != nil {
					t.Fatal(err)
				}
				if err := p.End(); err != nil {
					t.Error(err)
				}
			})
		}
		t.Run("in the middle of an import", func(t *testing.T) {
			ctx := guarded(t)
			root, _ := makeTree(t)
			i := startImporter(t, ctx, c, root, host.Options{})
			stream, err := i.Calls.Import(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := stream.Recv(); err != nil {
				t.Fatal(err)
			}
			if err := i.End(); err != nil {
				t.Error(err)
			}
		})
		t.Run("in the middle of an open", func(t *testing.T) {
			ctx := guarded(t)
			root := t.TempDir()
			name := filepath.Join(root, "large")
			if err := os.WriteFile(name, nil, 0o644); err != nil {
				t.Fatal(err)
			}
			if err := os.Truncate(name, 1<<30); err != nil {
				t.Fatal(err)
			}
			i := startImporter(t, ctx, c, root, host.Options{})
			stream, err := i.Calls.Import(ctx)
			if err != nil {
				t.Fatal(err)
			}
			for {
				message, err := stream.Recv()
				if err != nil {
					t.Fatal(err)
				}
				if message.GetRecord().GetHasReader() {
					content, err := i.Calls.Open(ctx, host.OpenRequest(message.GetRecord()))
					if err != nil {
						t.Fatal(err)
					}
					if _, err := content.Recv(); err != nil {
						t.Fatal(err)
					}
					break
				}
			}
			if err := i.End(); err != nil {
				t.Error(err)
			}
		})
		t.Run("in the middle of a put", func(t *testing.T) {
			ctx := guarded(t)
			s, _ := createStore(t, ctx, c)
			mac, content := object(1, 4*mib)
			beginPut(t, ctx, s, packfile, mac, content)
			if err := s.End(); err != nil {
				t.Error(err)
			}
		})
		t.Run("in the middle of an export, and keeps nothing of the file", func(t *testing.T) {
			ctx := guarded(t)
			destination := t.TempDir()
			e := startExporter(t, ctx, c, destination)
			stream, err := e.Calls.Export(ctx)
			if err != nil {
				t.Fatal(err)
			}
			for _, request := range []*exporter.ExportRequest{
				{Packet: &exporter.ExportRequest_Record{Record: record("/cut", 0o644, 10*mib)}},
				{Packet: &exporter.ExportRequest_Chunk{Chunk: make([]byte, mib)}},
			} {
				if err := stream.Send(request); err != nil {
					t.Fatal(err)
				}
			}
			if err := e.End(); err != nil {
				t.Error(err)
			}
			if _, err := os.Lstat(filepath.Join(destination, "cut")); err == nil {
				t.Error("the file is there")
			}
		})
	})
}

func Test_a_connector_is_one_process(t *testing.T) {
	each(t, func(t *testing.T, c connector) {
		for _, role := range roles {
			p := startRole(t, guarded(t), c, role)
			children, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", p.PID()))
			if err != nil || len(children) == 0 {
				t.Skip("the kernel does not tell a process's children")
			}
			for _, path := range children {
				if text, _ := os.ReadFile(path); len(bytes.TrimSpace(text)) > 0 {
					t.Errorf("as %s it has the children %s", role, text)
				}
			}
		}
	})
}

func Test_an_interrupt_from_the_terminal_lets_the_host_close_first(t *testing.T) {
	each(t, func(t *testing.T, c connector) {
		for _, role := range roles {
			ctx := guarded(t)
			p := startRole(t, ctx, c, role)
			if err := p.Signal(syscall.SIGINT); err != nil {
				t.Error(err)
			}
			if err := p.Close(ctx); err != nil {
				t.Errorf("as %s: %v", role, err)
			}
		}
	})
}

func Test_a_connector_answers_Ping(t *testing.T) {
	each(t, func(t *testing.T, c connector) {
		ctx := guarded(t)
		if _, err := startImporter(t, ctx, c, t.TempDir(), host.Options{}).Calls.Ping(ctx, &importer.PingRequest{}); err != nil {
			t.Error(err)
		}
		if _, err := startExporter(t, ctx, c, t.TempDir()).Calls.Ping(ctx, &exporter.PingRequest{}); err != nil {
			t.Error(err)
		}
	})
}

// piped runs a connector with something on its stdin and returns all of its stdout, when it has ended.
func piped(t *testing.T, arguments []string, stdin []byte) ([]byte, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(guarded(t), 30*time.Second)
	defer cancel()
	command := exec.CommandContext(ctx, arguments[0], arguments[1:]...)
	command.Stdin = bytes.NewReader(stdin) // which becomes a pipe
	command.Stderr = logged(t)
	output, err := command.Output()
	if ctx.Err() != nil {
		t.Error("it had to be killed")
	}
	return output, err
}

func Test_stdout_holds_nothing_but_HTTP2(t *testing.T) {
	each(t, func(t *testing.T, c connector) {
		for _, role := range roles {
			var stdin bytes.Buffer
			stdin.WriteString(http2.ClientPreface)
			framer := http2.NewFramer(&stdin, nil)
			if err := errors.Join(framer.WriteSettings(), framer.WritePing(false, [8]byte{1, 2, 3})); err != nil {
				t.Fatal(err)
			}
			output, err := piped(t, c.with(role), stdin.Bytes())
			if err != nil {
				t.Errorf("as %s: %v", role, err)
			}
			frames := http2.NewFramer(nil, bytes.NewReader(output))
			for n := 0; ; n++ {
				frame, err := frames.ReadFrame()
				if err == io.EOF && n > 0 {
					break
				}
				if err != nil {
					t.Errorf("as %s, frame %d: %v, in %q", role, n, err, output)
					break
				}
				if _, settings := frame.(*http2.SettingsFrame); n == 0 && !settings {
					t.Errorf("as %s the first frame is %v", role, frame)
				}
			}
		}
	})
}

func Test_what_is_no_HTTP2_ends_the_process(t *testing.T) {
	each(t, func(t *testing.T, c connector) {
		for name, stdin := range map[string]string{
			"nothing":     "",
			"garbage":     strings.Repeat("garbage \x00\xff", 1000),
			"a TLS hello": "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + strings.Repeat("\x55", 501),
			"HTTP/1":      "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
		} {
			t.Run(name, func(t *testing.T) {
				for _, role := range roles {
					piped(t, c.with(role), []byte(stdin)) // with whatever status
				}
			})
		}
	})
}

// Whoever made the manifest reads it in the host's own message, and not "plugin exited".
func Test_a_role_that_is_none_is_named_in_the_answer_to_Init(t *testing.T) {
	each(t, func(t *testing.T, c connector) {
		var log strings.Builder
		options := host.Options{Stderr: &log, ExitTimeout: promptly}
		_, err := host.StartImporter(context.Background(), c.with("nonsense"), c.name, host.Config(c.name, t.TempDir(), nil), options)
		if err == nil || !strings.Contains(err.Error(), "nonsense") {
			t.Errorf("Init: %v", err)
		}
		if !strings.Contains(log.String(), "nonsense") {
			t.Errorf("the log: %q", log.String())
		}
	})
}
