package conformance

import (
	"bytes"
	"context"
	"path/filepath"
	"sync"
	"testing"

	"kloset-sdk/tests/grpc-go/host"
	"kloset-sdk/tests/grpc-go/wire/store10"
)

var kinds10 = []host.Kind10{host.Packfile10, host.State10, host.Lock10}

func put10(t *testing.T, ctx context.Context, s *host.Store10, kind host.Kind10, mac, content []byte) {
	t.Helper()
	n, err := s.Put(ctx, kind, mac, bytes.NewReader(content))
	if err != nil || n != int64(len(content)) {
		t.Errorf("Put%s: %d bytes were written of %d, %v", kind, n, len(content), err)
	}
}

func get10(ctx context.Context, s *host.Store10, kind host.Kind10, mac []byte) ([]byte, error) {
	var content []byte
	err := s.Get(ctx, kind, mac, func(chunk []byte) error {
		content = append(content, chunk...)
		return nil
	})
	return content, err
}

func blob10(ctx context.Context, s *host.Store10, mac []byte, offset uint64, length uint32) ([]byte, error) {
	var content []byte
	err := s.GetBlob(ctx, mac, offset, length, func(chunk []byte) error {
		content = append(content, chunk...)
		return nil
	})
	return content, err
}

// lists10 expects exactly these MACs.
func lists10(t *testing.T, ctx context.Context, s *host.Store10, kind host.Kind10, expected ...[]byte) {
	t.Helper()
	macs, err := s.List(ctx, kind)
	if err != nil {
		t.Error(err)
		return
	}
	found := map[string]bool{}
	for _, mac := range macs {
		found[string(mac)] = true
	}
	if len(found) != len(macs) {
		t.Errorf("%s: a MAC is listed twice", kind)
	}
	for _, mac := range expected {
		if !found[string(mac)] {
			t.Errorf("%s: %x is not listed", kind, mac)
		}
	}
	if len(found) > len(expected) {
		t.Errorf("%s: %d are listed instead of %d", kind, len(found), len(expected))
	}
}

func Test_on_1_0_a_store_that_was_created_gives_its_configuration_to_another_process(t *testing.T) {
	each(t, func(t *testing.T, c connector) {
		ctx := guarded(t)
		s, folder := createStore10(t, ctx, c)
		for _, kind := range kinds10 {
			lists10(t, ctx, s, kind)
		}
		if answer, err := s.Calls.GetMode(ctx, &store10.GetModeRequest{Cookie: s.Cookie}); err != nil || answer.GetMode() != 6 {
			t.Errorf("the mode is %v (%v)", answer, err)
		}
		if answer, err := s.Calls.GetSize(ctx, &store10.GetSizeRequest{Cookie: s.Cookie}); err != nil || answer.GetSize() < -1 {
			t.Errorf("the size is %v (%v)", answer, err)
		}
		closed(t, ctx, s)
		s = startStore10(t, ctx, c, folder)
		answer, err := s.Calls.Open(ctx, &store10.OpenRequest{Cookie: s.Cookie})
		if err != nil || string(answer.GetConfig()) != "the configuration \x00\xff" {
			t.Errorf("the configuration is %q (%v)", answer.GetConfig(), err)
		}
		closed(t, ctx, s)
	})
}

func Test_on_1_0_a_store_that_is_not_there_cannot_be_opened(t *testing.T) {
	each(t, func(t *testing.T, c connector) {
		ctx := guarded(t)
		s := startStore10(t, ctx, c, filepath.Join(t.TempDir(), "not here"))
		if answer, err := s.Calls.Open(ctx, &store10.OpenRequest{Cookie: s.Cookie}); err == nil {
			t.Errorf("Open answered %v", answer)
		}
	})
}

func Test_on_1_0_objects_of_all_sizes_and_kinds_come_back_as_they_were(t *testing.T) {
	each(t, func(t *testing.T, c connector) {
		ctx := guarded(t)
		s, folder := createStore10(t, ctx, c)
		sizes := []int{0, 1, 100, mib - 1, mib, mib + 1, 20*mib + 7}
		for k, kind := range kinds10 {
			for n, size := range sizes {
				mac, content := object(uint64(k*100+n), size)
				put10(t, ctx, s, kind, mac, content)
			}
		}
		closed(t, ctx, s)
		s = reopen10(t, ctx, c, folder)
		for k, kind := range kinds10 {
			var macs [][]byte
			for n, size := range sizes {
				mac, content := object(uint64(k*100+n), size)
				if have, err := get10(ctx, s, kind, mac); err != nil || !bytes.Equal(have, content) {
					t.Errorf("%s of %d bytes: %d bytes came, %v", kind, size, len(have), err)
				}
				macs = append(macs, mac)
			}
			lists10(t, ctx, s, kind, macs...)
		}
		closed(t, ctx, s)
	})
}

func Test_on_1_0_kinds_that_share_a_MAC_are_different_objects(t *testing.T) {
	each(t, func(t *testing.T, c connector) {
		ctx := guarded(t)
		s, _ := createStore10(t, ctx, c)
		mac, _ := object(0, 0)
		for _, kind := range kinds10 {
			put10(t, ctx, s, kind, mac, []byte(kind))
		}
		if err := s.Delete(ctx, host.State10, mac); err != nil {
			t.Error(err)
		}
		for _, kind := range kinds10 {
			have, err := get10(ctx, s, kind, mac)
			if kind == host.State10 {
				if err == nil {
					t.Error("the deleted one is still there")
				}
			} else if err != nil || string(have) != string(kind) {
				t.Errorf("%s is %q (%v)", kind, have, err)
			}
		}
	})
}

func Test_on_1_0_a_part_of_a_packfile_is_what_is_there(t *testing.T) {
	each(t, func(t *testing.T, c connector) {
		ctx := guarded(t)
		s, _ := createStore10(t, ctx, c)
		const size = 3*mib + 5
		mac, content := object(1, size)
		put10(t, ctx, s, host.Packfile10, mac, content)
		for name, r := range map[string]struct {
			offset     uint64
			length     uint32
			start, end int
		}{
			"at the start":             {0, 10, 0, 10},
			"over a chunk's end":       {mib - 5, 10, mib - 5, mib + 5},
			"in the middle, large":     {17, 2 * mib, 17, 17 + 2*mib},
			"the whole":                {0, size, 0, size},
			"at the end":               {size - 10, 10, size - 10, size},
			"over the end":             {size - 10, 100, size - 10, size},
			"over the end, very large": {1, 0xffff_ffff, 1, size},
		} {
			if have, err := blob10(ctx, s, mac, r.offset, r.length); err != nil || !bytes.Equal(have, content[r.start:r.end]) {
				t.Errorf("%s: %d bytes came, %v", name, len(have), err)
			}
		}
		// Here nothing comes, or an error.
		for name, r := range map[string]struct {
			offset uint64
			length uint32
		}{
			"right behind the end":  {size, 10},
			"beyond the end":        {size + mib, 10},
			"beyond any end":        {1<<64 - 1, 10},
			"of length 0":           {5, 0},
			"of length 0, at start": {0, 0},
		} {
			if have, _ := blob10(ctx, s, mac, r.offset, r.length); len(have) > 0 {
				t.Errorf("%s: %d bytes came", name, len(have))
			}
		}
		if have, err := get10(ctx, s, host.Packfile10, mac); err != nil || !bytes.Equal(have, content) {
			t.Errorf("after all: %d bytes, %v", len(have), err)
		}
	})
}

func Test_on_1_0_an_object_that_was_deleted_is_gone(t *testing.T) {
	each(t, func(t *testing.T, c connector) {
		ctx := guarded(t)
		s, folder := createStore10(t, ctx, c)
		keep, content := object(1, 100)
		gone, _ := object(2, 100)
		for _, kind := range kinds10 {
			put10(t, ctx, s, kind, keep, content)
			put10(t, ctx, s, kind, gone, content)
			if err := s.Delete(ctx, kind, gone); err != nil {
				t.Errorf("%s: %v", kind, err)
			}
			lists10(t, ctx, s, kind, keep)
			if _, err := get10(ctx, s, kind, gone); err == nil {
				t.Errorf("%s: what was deleted is still there", kind)
			}
		}
		closed(t, ctx, s)
		s = reopen10(t, ctx, c, folder)
		for _, kind := range kinds10 {
			lists10(t, ctx, s, kind, keep)
		}
	})
}

func Test_on_1_0_an_object_that_never_was_cannot_be_read(t *testing.T) {
	each(t, func(t *testing.T, c connector) {
		ctx := guarded(t)
		s, _ := createStore10(t, ctx, c)
		mac, _ := object(1, 0)
		for _, kind := range kinds10 {
			if have, err := get10(ctx, s, kind, mac); err == nil {
				t.Errorf("%s: %d bytes came", kind, len(have))
			}
			for _, short := range [][]byte{nil, mac[:31], append([]byte{1}, mac...)} {
				if _, err := s.Put(ctx, kind, short, bytes.NewReader([]byte("content"))); err == nil {
					t.Errorf("Put%s with a MAC of %d bytes succeeded", kind, len(short))
				}
				if _, err := get10(ctx, s, kind, short); err == nil {
					t.Errorf("Get%s with a MAC of %d bytes succeeded", kind, len(short))
				}
			}
			lists10(t, ctx, s, kind)
		}
		if have, err := blob10(ctx, s, mac, 0, 10); err == nil {
			t.Errorf("of a packfile that never was, %d bytes came", len(have))
		}
		closed(t, ctx, s)
	})
}

// beginPut10 sends some of an object, and leaves the call as it is.
func beginPut10(t *testing.T, ctx context.Context, s *host.Store10, kind host.Kind10, mac, content []byte) {
	t.Helper()
	put, err := s.BeginPut(ctx, kind, mac)
	if err != nil {
		t.Fatal(err)
	}
	for part := range chunks(content) {
		if err := put.Send(part); err != nil {
			t.Fatal(err)
		}
	}
}

func Test_on_1_0_a_put_that_did_not_end_leaves_nothing(t *testing.T) {
	each(t, func(t *testing.T, c connector) {
		for _, kind := range kinds10 {
			mac, content := object(1, 8*mib)
			whole, small := object(2, 1000)
			t.Run("a Put"+string(kind)+" that was cut leaves nothing that is listed", func(t *testing.T) {
				ctx := guarded(t)
				s, folder := createStore10(t, ctx, c)
				cut, cancel := context.WithCancel(ctx)
				beginPut10(t, cut, s, kind, mac, content)
				cancel()
				lists10(t, ctx, s, kind)
				put10(t, ctx, s, kind, whole, small)
				lists10(t, ctx, s, kind, whole)
				closed(t, ctx, s)
				lists10(t, ctx, reopen10(t, ctx, c, folder), kind, whole)
			})
			t.Run("a Put"+string(kind)+" that was abandoned leaves nothing that is listed and blocks no other", func(t *testing.T) {
				ctx := guarded(t)
				s, folder := createStore10(t, ctx, c)
				beginPut10(t, ctx, s, kind, mac, content)
				lists10(t, ctx, s, kind)
				put10(t, ctx, s, kind, whole, small)
				lists10(t, ctx, s, kind, whole)
				closed(t, ctx, s)
				s = reopen10(t, ctx, c, folder)
				lists10(t, ctx, s, kind, whole)
				put10(t, ctx, s, kind, mac, content)
				lists10(t, ctx, s, kind, whole, mac)
			})
			t.Run("a Put"+string(kind)+" whose process was killed leaves nothing that is listed", func(t *testing.T) {
				ctx := guarded(t)
				s, folder := createStore10(t, ctx, c)
				put10(t, ctx, s, kind, whole, small)
				beginPut10(t, ctx, s, kind, mac, content)
				s.Kill()
				s = reopen10(t, ctx, c, folder)
				lists10(t, ctx, s, kind, whole)
				if have, err := get10(ctx, s, kind, whole); err != nil || !bytes.Equal(have, small) {
					t.Errorf("the whole one: %d bytes, %v", len(have), err)
				}
			})
		}
	})
}

func Test_on_1_0_puts_that_were_abandoned_do_not_use_up_the_connection(t *testing.T) {
	each(t, func(t *testing.T, c connector) {
		ctx := guarded(t)
		s, _ := createStore10(t, ctx, c)
		for n := range 8 {
			mac, content := object(uint64(n), 3*mib)
			beginPut10(t, ctx, s, host.Packfile10, mac, content)
		}
		mac, content := object(100, 20*mib)
		put10(t, ctx, s, host.Packfile10, mac, content)
		if have, err := get10(ctx, s, host.Packfile10, mac); err != nil || !bytes.Equal(have, content) {
			t.Errorf("%d bytes, %v", len(have), err)
		}
		lists10(t, ctx, s, host.Packfile10, mac)
		closed(t, ctx, s)
	})
}

func Test_on_1_0_objects_large_and_small_go_in_and_out_at_once(t *testing.T) {
	each(t, func(t *testing.T, c connector) {
		ctx := guarded(t)
		s, _ := createStore10(t, ctx, c)
		var all sync.WaitGroup
		expected := map[host.Kind10][][]byte{}
		for n := range 216 {
			kind, size := host.State10, 100+n
			if n < 16 {
				kind, size = host.Packfile10, 10*mib
			}
			mac, content := object(uint64(n), size)
			expected[kind] = append(expected[kind], mac)
			all.Go(func() {
				put10(t, ctx, s, kind, mac, content)
				have, err := get10(ctx, s, kind, mac)
				if err != nil || !bytes.Equal(have, content) {
					t.Errorf("%s %x: %d bytes came, %v", kind, mac, len(have), err)
				}
				if kind == host.Packfile10 {
					if have, err := blob10(ctx, s, mac, 50, 1000); err != nil || !bytes.Equal(have, content[50:1050]) {
						t.Errorf("a part of %x: %d bytes came, %v", mac, len(have), err)
					}
				}
			})
		}
		all.Wait()
		for kind, macs := range expected {
			lists10(t, ctx, s, kind, macs...)
		}
		closed(t, ctx, s)
	})
}
