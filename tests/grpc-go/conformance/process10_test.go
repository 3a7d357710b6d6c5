package conformance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"kloset-sdk/tests/grpc-go/host"
	"kloset-sdk/tests/grpc-go/wire/connectors"
	"kloset-sdk/tests/grpc-go/wire/exporter"
	"kloset-sdk/tests/grpc-go/wire/exporter10"
	"kloset-sdk/tests/grpc-go/wire/importer"
	"kloset-sdk/tests/grpc-go/wire/importer10"
	"kloset-sdk/tests/grpc-go/wire/store"
	"kloset-sdk/tests/grpc-go/wire/store10"
)

// begin starts a process, and calls nothing.
func begin(t *testing.T, command []string) *host.Process {
	t.Helper()
	p, err := host.Start(command, options10(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.End() })
	return p
}

func startRole10(t *testing.T, ctx context.Context, c connector, role string) started {
	t.Helper()
	switch role {
	case "importer":
		return startImporter10(t, ctx, c, t.TempDir())
	case "exporter":
		return startExporter10(t, ctx, c, t.TempDir())
	default:
		return startStore10(t, ctx, c, t.TempDir())
	}
}

func Test_on_1_0_a_process_ends_by_itself_at_the_end_of_its_stdin(t *testing.T) {
	each(t, func(t *testing.T, c connector) {
		for _, role := range roles {
			t.Run("as "+role+" without Close", func(t *testing.T) {
				if err := startRole10(t, guarded(t), c, role).End(); err != nil {
					t.Error(err)
				}
			})
			t.Run("as "+role+" before any call", func(t *testing.T) {
				if err := begin(t, c.with10(role)).End(); err != nil {
					t.Error(err)
				}
			})
		}
		t.Run("in the middle of a scan", func(t *testing.T) {
			ctx := guarded(t)
			root, _ := makeTree(t)
			i := startImporter10(t, ctx, c, root)
			stream, err := i.Calls.Scan(ctx, &importer10.ScanRequest{Cookie: i.Cookie})
			if err == nil {
				_, err = stream.Recv()
			}
			if err = errors.Join(err, i.End()); err != nil {
				t.Error(err)
			}
		})
		t.Run("in the middle of a reader", func(t *testing.T) {
			ctx := guarded(t)
			root := t.TempDir()
			name := filepath.Join(root, "large")
			if err := errors.Join(os.WriteFile(name, nil, 0o644), os.Truncate(name, 1<<30)); err != nil {
				t.Fatal(err)
			}
			i := startImporter10(t, ctx, c, root)
			if _, err := i.Read(ctx, 1, func(context.Context, *importer10.ScanResponse) error { return nil }); err != nil {
				t.Fatal(err)
			}
			content, err := i.Calls.OpenReader(ctx, &importer10.OpenReaderRequest{Pathname: name, Cookie: i.Cookie})
			if err == nil {
				_, err = content.Recv()
			}
			if err = errors.Join(err, i.End()); err != nil {
				t.Error(err)
			}
		})
		t.Run("in the middle of a put", func(t *testing.T) {
			ctx := guarded(t)
			s, _ := createStore10(t, ctx, c)
			mac, content := object(1, 4*mib)
			beginPut10(t, ctx, s, host.Packfile10, mac, content)
			if err := s.End(); err != nil {
				t.Error(err)
			}
		})
		t.Run("in the middle of a file, and keeps nothing of it", func(t *testing.T) {
			ctx := guarded(t)
			destination := t.TempDir()
			e := startExporter10(t, ctx, c, destination)
			stream, err := e.BeginFile(ctx, filepath.Join(destination, "cut"), 10*mib)
			if err == nil {
				err = e.SendContent(stream, make([]byte, mib))
			}
			if err = errors.Join(err, e.End()); err != nil {
				t.Error(err)
			}
			if names := namesBelow(t, destination); len(names) > 0 {
				t.Errorf("there are %q", names)
			}
		})
	})
}

func Test_on_1_0_several_importers_live_in_one_process(t *testing.T) {
	each(t, func(t *testing.T, c connector) {
		ctx := guarded(t)
		p := begin(t, c.with10("importer"))
		var roots []string
		var all []*host.Importer10
		for n := range 3 {
			root := t.TempDir()
			for _, name := range []string{"same", fmt.Sprint("own ", n)} {
				if err := os.WriteFile(filepath.Join(root, name), []byte(fmt.Sprint(name, " of ", n)), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			i, err := p.Importer10(ctx, c.name, host.Config(c.name, root, nil), options10(t))
			if err != nil {
				t.Fatal(err)
			}
			roots, all = append(roots, root), append(all, i)
		}
		differentCookies(t, all[0].Cookie, all[1].Cookie, all[2].Cookie)
		// One constructor that fails harms no other instance.
		if _, err := p.Importer10(ctx, c.name, host.Config(c.name, roots[0]+" not here", nil), options10(t)); err == nil {
			t.Error("an importer of a directory that is not there was made")
		}
		for n, i := range all {
			if i.Told.GetRoot() != roots[n] {
				t.Errorf("importer %d has the root %q instead of %q", n, i.Told.GetRoot(), roots[n])
			}
			sameTree(t, collect10(t, ctx, i, 2), roots[n])
			// What one has found is not there for another.
			if n > 0 {
				if _, err := content10(ctx, all[n-1], filepath.Join(roots[n], "same")); err == nil {
					t.Errorf("importer %d reads what is another's", n-1)
				}
			}
		}
		if err := all[1].Leave(ctx); err != nil {
			t.Error(err)
		}
		for n, i := range all {
			_, err := i.Calls.Info(ctx, &importer10.InfoRequest{Cookie: i.Cookie})
			if gone := n == 1; gone != (err != nil) {
				t.Errorf("after the Close of importer 1, Info of importer %d says %v", n, err)
			}
		}
		if err := p.End(); err != nil {
			t.Error(err)
		}
	})
}

func Test_on_1_0_several_exporters_live_in_one_process(t *testing.T) {
	each(t, func(t *testing.T, c connector) {
		ctx := guarded(t)
		p := begin(t, c.with10("exporter"))
		var roots []string
		var all []*host.Exporter10
		for range 2 {
			root := t.TempDir()
			e, err := p.Exporter10(ctx, c.name, host.Config(c.name, root, nil), options10(t))
			if err != nil {
				t.Fatal(err)
			}
			roots, all = append(roots, root), append(all, e)
		}
		differentCookies(t, all[0].Cookie, all[1].Cookie)
		store := func(n int, pathname string) error {
			return all[n].StoreFile(ctx, pathname, 7, strings.NewReader("content"))
		}
		for n := range all {
			if err := store(n, filepath.Join(roots[n], fmt.Sprint("file ", n))); err != nil {
				t.Error(err)
			}
		}
		if store(0, filepath.Join(roots[1], "foreign")) == nil {
			t.Error("one exporter wrote below the root of the other")
		}
		if err := all[0].Leave(ctx); err != nil {
			t.Error(err)
		}
		if store(0, filepath.Join(roots[0], "late")) == nil {
			t.Error("an exporter that was closed stored a file")
		}
		if err := store(1, filepath.Join(roots[1], "late")); err != nil {
			t.Error(err)
		}
		if err := p.End(); err != nil {
			t.Error(err)
		}
		for n, want := range [][]string{{"file 0"}, {"file 1", "late"}} {
			if names := namesBelow(t, roots[n]); !slices.Equal(names, want) {
				t.Errorf("exporter %d made %q instead of %q", n, names, want)
			}
		}
	})
}

func Test_on_1_0_several_stores_live_in_one_process(t *testing.T) {
	each(t, func(t *testing.T, c connector) {
		ctx := guarded(t)
		p := begin(t, c.with10("store"))
		var all []*host.Store10
		for n := range 2 {
			s, err := p.Store10(ctx, c.name, host.Config(c.name, filepath.Join(t.TempDir(), "store"), nil))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Calls.Create(ctx, &store10.CreateRequest{Config: []byte{byte(n)}, Cookie: s.Cookie}); err != nil {
				t.Fatal(err)
			}
			all = append(all, s)
		}
		differentCookies(t, all[0].Cookie, all[1].Cookie)
		mac, _ := object(1, 0)
		other, content := object(2, mib)
		put10(t, ctx, all[0], host.State10, mac, []byte("of the first"))
		put10(t, ctx, all[1], host.State10, mac, []byte("of the second"))
		put10(t, ctx, all[1], host.State10, other, content)
		lists10(t, ctx, all[0], host.State10, mac)
		// Of the one that is closed nothing is expected: a host still deletes its lock after Close.
		if err := all[0].Leave(ctx); err != nil {
			t.Error(err)
		}
		if have, err := get10(ctx, all[1], host.State10, mac); err != nil || string(have) != "of the second" {
			t.Errorf("the other store has %q (%v)", have, err)
		}
		lists10(t, ctx, all[1], host.State10, mac, other)
		if err := p.End(); err != nil {
			t.Error(err)
		}
	})
}

func differentCookies(t *testing.T, cookies ...string) {
	t.Helper()
	slices.Sort(cookies)
	if len(slices.Compact(slices.Clone(cookies))) != len(cookies) {
		t.Errorf("the cookies are %q", cookies)
	}
}

func Test_on_1_0_a_cookie_that_nobody_was_given_is_an_error_of_every_call(t *testing.T) {
	each(t, func(t *testing.T, c connector) {
		ctx := guarded(t)
		mac, _ := object(1, 0)
		i := startImporter10(t, ctx, c, t.TempDir())
		e := startExporter10(t, ctx, c, t.TempDir())
		s, _ := createStore10(t, ctx, c)
		put10(t, ctx, s, host.Packfile10, mac, []byte("content"))
		importer, exporter, store := *i, *e, *s
		importer.Cookie, exporter.Cookie, store.Cookie = "nobody's", "nobody's", "nobody's"
		calls := map[string]func() error{
			"Info": func() error { _, err := i.Calls.Info(ctx, &importer10.InfoRequest{Cookie: "nobody's"}); return err },
			"Scan": func() error {
				_, err := importer.Read(ctx, 1, func(context.Context, *importer10.ScanResponse) error { return nil })
				return err
			},
			"OpenReader":      func() error { _, err := content10(ctx, &importer, "/"); return err },
			"importer.Close":  func() error { return importer.Leave(ctx) },
			"Root":            func() error { _, err := e.Calls.Root(ctx, &exporter10.RootRequest{Cookie: "nobody's"}); return err },
			"CreateDirectory": func() error { return exporter.CreateDirectory(ctx, e.Root+"/folder") },
			"StoreFile":       func() error { return exporter.StoreFile(ctx, e.Root+"/file", 1, strings.NewReader("x")) },
			"CreateLink":      func() error { return exporter.CreateLink(ctx, "target", e.Root+"/link", host.SymbolicLink10) },
			"SetPermissions": func() error {
				return exporter.SetPermissions(ctx, e.Root, record("/", 0o700, 0).GetFileInfo())
			},
			"exporter.Close": func() error { return exporter.Leave(ctx) },
			"Open":           func() error { _, err := s.Calls.Open(ctx, &store10.OpenRequest{Cookie: "nobody's"}); return err },
			"Create":         func() error { _, err := s.Calls.Create(ctx, &store10.CreateRequest{Cookie: "nobody's"}); return err },
			"GetLocation": func() error {
				_, err := s.Calls.GetLocation(ctx, &store10.GetLocationRequest{Cookie: "nobody's"})
				return err
			},
			"GetMode":         func() error { _, err := s.Calls.GetMode(ctx, &store10.GetModeRequest{Cookie: "nobody's"}); return err },
			"GetSize":         func() error { _, err := s.Calls.GetSize(ctx, &store10.GetSizeRequest{Cookie: "nobody's"}); return err },
			"GetPackfileBlob": func() error { _, err := blob10(ctx, &store, mac, 0, 1); return err },
			"store.Close":     func() error { return store.Leave(ctx) },
		}
		for _, kind := range kinds10 {
			name := string(kind)
			calls["Put"+name] = func() error { _, err := store.Put(ctx, kind, mac, bytes.NewReader([]byte("other"))); return err }
			calls["Get"+name] = func() error { _, err := get10(ctx, &store, kind, mac); return err }
			calls["Get"+name+"s"] = func() error { _, err := store.List(ctx, kind); return err }
			calls["Delete"+name] = func() error { return store.Delete(ctx, kind, mac) }
		}
		for name, call := range calls {
			if err := call(); err == nil || !strings.Contains(err.Error(), "cookie") {
				t.Errorf("%s: %v", name, err)
			}
		}
		if have, err := get10(ctx, s, host.Packfile10, mac); err != nil || string(have) != "content" {
			t.Errorf("after all, the packfile is %q (%v)", have, err)
		}
		if names := namesBelow(t, e.Root); len(names) > 0 {
			t.Errorf("after all, there are %q", names)
		}
		closed(t, ctx, i)
		closed(t, ctx, e)
		closed(t, ctx, s)
	})
}

// namesTheManifest expects each call to fail, and to say what the manifest needs.
func namesTheManifest(t *testing.T, calls map[string]func() error) {
	t.Helper()
	for name, call := range calls {
		err := call()
		if err == nil || !strings.Contains(err.Error(), "--protocol") {
			t.Errorf("%s does not name the manifest's argument --protocol: %v", name, err)
		}
	}
}

// An importer's Init is the same in both generations, and a store's too: what is foreign comes later.
func Test_a_host_of_1_1_that_meets_1_0_reads_what_to_write_into_the_manifest(t *testing.T) {
	each(t, func(t *testing.T, c connector) {
		ctx := guarded(t)
		config := host.Config(c.name, t.TempDir(), nil)
		options := &connectors.Options{Hostname: "host", Os: "linux", Arch: "amd64", Cwd: "/", Maxconcurrency: 1}

		i := importer.NewImporterClient(begin(t, c.with10("importer")).Client)
		if _, err := i.Init(ctx, &importer.InitRequest{Options: options, Proto: c.name, Config: config}); err != nil {
			t.Logf("the importer's Init: %v", err)
		}
		e := exporter.NewExporterClient(begin(t, c.with10("exporter")).Client)
		s := store.NewStoreClient(begin(t, c.with10("store")).Client)
		if _, err := s.Init(ctx, &store.InitRequest{Proto: c.name, Config: config}); err != nil {
			t.Logf("the store's Init: %v", err)
		}
		namesTheManifest(t, map[string]func() error{
			"the importer's Import": func() error {
				stream, err := i.Import(ctx)
				if err == nil {
					_, err = stream.Recv()
				}
				return err
			},
			"the importer's Ping": func() error { _, err := i.Ping(ctx, &importer.PingRequest{}); return err },
			"the exporter's Init": func() error {
				_, err := e.Init(ctx, &exporter.InitRequest{Options: options, Proto: c.name, Config: config})
				return err
			},
			"the store's Create": func() error { _, err := s.Create(ctx, &store.CreateRequest{}); return err },
			"the store's Open":   func() error { _, err := s.Open(ctx, &store.OpenRequest{}); return err },
			"the store's Mode":   func() error { _, err := s.Mode(ctx, &store.ModeRequest{}); return err },
			"the store's List":   func() error { _, err := s.List(ctx, &store.ListRequest{Type: state}); return err },
		})
	})
}

func Test_a_host_of_1_0_that_meets_1_1_reads_what_to_write_into_the_manifest(t *testing.T) {
	each(t, func(t *testing.T, c connector) {
		ctx := guarded(t)
		config := host.Config(c.name, t.TempDir(), nil)

		// What such a host takes for the error of an importer's Init is the origin: its user reads that alone.
		i := importer10.NewImporterClient(begin(t, c.with("importer")).Client)
		answer, err := i.Init(ctx, &importer10.InitRequest{
			Options: &importer10.Options{Hostname: "host", Os: "linux", Arch: "amd64", Cwd: "/", Maxconcurrency: 1},
			Proto:   c.name, Config: config,
		})
		t.Logf("the importer's Init: the error %q, %v", answer.GetError(), err)
		e := exporter10.NewExporterClient(begin(t, c.with("exporter")).Client)
		s := store10.NewStoreClient(begin(t, c.with("store")).Client)
		told, err := s.Init(ctx, &store10.InitRequest{Proto: c.name, Config: config})
		if err != nil {
			t.Logf("the store's Init: %v", err)
		}
		namesTheManifest(t, map[string]func() error{
			"the importer's Info": func() error { _, err := i.Info(ctx, &importer10.InfoRequest{}); return err },
			"the importer's Scan": func() error {
				stream, err := i.Scan(ctx, &importer10.ScanRequest{})
				if err == nil {
					_, err = stream.Recv()
				}
				return err
			},
			"the exporter's Init": func() error {
				_, err := e.Init(ctx, &exporter10.InitRequest{Options: &exporter10.Options{Maxconcurrency: 1}, Proto: c.name, Config: config})
				return err
			},
			"the store's GetLocation": func() error {
				_, err := s.GetLocation(ctx, &store10.GetLocationRequest{Cookie: told.GetCookie()})
				return err
			},
			"the store's GetStates": func() error {
				_, err := s.GetStates(ctx, &store10.GetStatesRequest{Cookie: told.GetCookie()})
				return err
			},
		})
	})
}

func Test_on_1_0_an_interrupt_from_the_terminal_lets_the_host_close_first(t *testing.T) {
	each(t, func(t *testing.T, c connector) {
		for _, role := range roles {
			ctx := guarded(t)
			p := startRole10(t, ctx, c, role)
			if err := p.Signal(syscall.SIGINT); err != nil {
				t.Error(err)
			}
			if err := p.Close(ctx); err != nil {
				t.Errorf("as %s: %v", role, err)
			}
		}
	})
}

func Test_on_1_0_a_role_that_is_none_is_named_in_the_answer_to_Init(t *testing.T) {
	each(t, func(t *testing.T, c connector) {
		_, err := host.StartImporter10(guarded(t), c.with10("nonsense"), c.name, host.Config(c.name, t.TempDir(), nil), options10(t))
		if err == nil || !strings.Contains(err.Error(), "nonsense") {
			t.Errorf("Init: %v", err)
		}
	})
}

func Test_a_generation_that_is_none_is_named_in_the_answer_to_Init(t *testing.T) {
	each(t, func(t *testing.T, c connector) {
		config := host.Config(c.name, t.TempDir(), nil)
		command := append(c.with("importer"), "--protocol", "7.3")
		if _, err := host.StartImporter10(guarded(t), command, c.name, config, options10(t)); err == nil || !strings.Contains(err.Error(), "7.3") {
			t.Errorf("a host of 1.0 reads: %v", err)
		}
		if _, err := host.StartImporter(guarded(t), command, c.name, config, options10(t)); err == nil || !strings.Contains(err.Error(), "7.3") {
			t.Errorf("a host of 1.1 reads: %v", err)
		}
	})
}
