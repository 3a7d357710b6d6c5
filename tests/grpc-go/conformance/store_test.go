package conformance

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"path/filepath"
	"sync"
	"testing"

	"kloset-sdk/tests/grpc-go/host"
	"kloset-sdk/tests/grpc-go/wire/store"
)

const (
	packfile    = store.StorageResource_STORAGE_RESOURCE_PACKFILE
	state       = store.StorageResource_STORAGE_RESOURCE_STATE
	lock        = store.StorageResource_STORAGE_RESOURCE_LOCK
	eccPackfile = store.StorageResource_STORAGE_RESOURCE_ECC_PACKFILE
	eccState    = store.StorageResource_STORAGE_RESOURCE_ECC_STATE
)

var kinds = []store.StorageResource{packfile, state, lock, eccPackfile, eccState}

// object makes a content that is like no other's, and a MAC.
func object(seed uint64, size int) (mac, content []byte) {
	content = make([]byte, 0, size+sha256.Size)
	for i := uint64(0); len(content) < size; i++ {
		block := sha256.Sum256(binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, seed), i))
		for range 32 {
			content = append(content, block[:]...)
		}
	}
	content = content[:size]
	sum := sha256.Sum256(binary.BigEndian.AppendUint64([]byte("mac"), seed))
	return sum[:], content
}

func createStore(t *testing.T, ctx context.Context, c connector) (*host.Store, string) {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "store")
	s := startStore(t, ctx, c, folder)
	if _, err := s.Calls.Create(ctx, &store.CreateRequest{Config: []byte("the configuration \x00\xff")}); err != nil {
		t.Fatal(err)
	}
	return s, folder
}

// reopen starts another process on a store.
func reopen(t *testing.T, ctx context.Context, c connector, folder string) *host.Store {
	t.Helper()
	s := startStore(t, ctx, c, folder)
	if _, err := s.Calls.Open(ctx, &store.OpenRequest{}); err != nil {
		t.Fatal(err)
	}
	return s
}

func put(t *testing.T, ctx context.Context, s *host.Store, kind store.StorageResource, mac, content []byte) {
	t.Helper()
	n, err := s.Put(ctx, kind, mac, bytes.NewReader(content))
	if err != nil || n != int64(len(content)) {
		t.Errorf("put: %d bytes were written of %d, %v", n, len(content), err)
	}
}

func get(ctx context.Context, s *host.Store, kind store.StorageResource, mac []byte, part *store.Range) ([]byte, error) {
	var content []byte
	err := s.Get(ctx, kind, mac, part, func(chunk []byte) error {
		content = append(content, chunk...)
		return nil
	})
	return content, err
}

// lists expects exactly these MACs.
func lists(t *testing.T, ctx context.Context, s *host.Store, kind store.StorageResource, expected ...[]byte) {
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
		t.Errorf("%v: a MAC is listed twice", kind)
	}
	for _, mac := range expected {
		if !found[string(mac)] {
			t.Errorf("%v: %x is not listed", kind, mac)
		}
	}
	if len(found) > len(expected) {
		t.Errorf("%v: %d are listed instead of %d", kind, len(found), len(expected))
	}
}

func Test_a_store_that_was_created_gives_its_configuration_to_another_process(t *testing.T) {
	each(t, func(t *testing.T, c connector) {
		ctx := guarded(t)
		s, folder := createStore(t, ctx, c)
		for _, kind := range kinds {
			lists(t, ctx, s, kind)
		}
		if answer, err := s.Calls.Mode(ctx, &store.ModeRequest{}); err != nil || answer.GetMode() != 6 {
			t.Errorf("the mode is %v (%v)", answer, err)
		}
		if answer, err := s.Calls.Size(ctx, &store.SizeRequest{}); err != nil || answer.GetSize() < -1 {
			t.Errorf("the size is %v (%v)", answer, err)
		}
		if _, err := s.Calls.Ping(ctx, &store.PingRequest{}); err != nil {
			t.Error(err)
		}
		closed(t, ctx, s)
		again := startStore(t, ctx, c, folder)
		answer, err := again.Calls.Open(ctx, &store.OpenRequest{})
		if err != nil || string(answer.GetConfig()) != "the configuration \x00\xff" {
			t.Errorf("the configuration is %q (%v)", answer.GetConfig(), err)
		}
		closed(t, ctx, again)
	})
}

func Test_a_store_that_was_never_created_cannot_be_opened(t *testing.T) {
	each(t, func(t *testing.T, c connector) {
		ctx := guarded(t)
		folder := filepath.Join(t.TempDir(), "not here")
		s, err := host.StartStore(ctx, c.with("store"), c.name, host.Config(c.name, folder, nil), host.Options{Stderr: logged(t)})
		if err != nil {
			return // Init has found it already
		}
		defer s.End()
		if _, err := s.Calls.Open(ctx, &store.OpenRequest{}); err == nil {
			t.Error("Open succeeded")
		}
	})
}

func Test_a_store_gives_back_what_was_put(t *testing.T) {
	each(t, func(t *testing.T, c connector) {
		ctx := guarded(t)
		s, folder := createStore(t, ctx, c)
		sizes := []int{1, 4096, mib - 1, mib, mib + 1, 5*mib + 3}
		for k, kind := range kinds {
			for n, size := range sizes {
				mac, content := object(uint64(k*100+n), size)
				put(t, ctx, s, kind, mac, content)
			}
		}
		closed(t, ctx, s)
		s = reopen(t, ctx, c, folder)
		for k, kind := range kinds {
			var macs [][]byte
			for n, size := range sizes {
				mac, content := object(uint64(k*100+n), size)
				if have, err := get(ctx, s, kind, mac, nil); err != nil || !bytes.Equal(have, content) {
					t.Errorf("%v of %d bytes: %d bytes came, %v", kind, size, len(have), err)
				}
				macs = append(macs, mac)
			}
			lists(t, ctx, s, kind, macs...)
		}
		closed(t, ctx, s)
	})
}

func Test_kinds_that_share_a_MAC_are_different_objects(t *testing.T) {
	each(t, func(t *testing.T, c connector) {
		ctx := guarded(t)
		s, _ := createStore(t, ctx, c)
		mac, _ := object(0, 0)
		for _, kind := range kinds {
			put(t, ctx, s, kind, mac, []byte(kind.String()))
		}
		if err := s.Delete(ctx, state, mac); err != nil {
			t.Error(err)
		}
		for _, kind := range kinds {
			have, err := get(ctx, s, kind, mac, nil)
			if kind == state {
				if err == nil {
					t.Error("the deleted one is still there")
				}
			} else if err != nil || string(have) != kind.String() {
				t.Errorf("%v is %q (%v)", kind, have, err)
			}
		}
	})
}

func Test_a_range_gives_what_is_there(t *testing.T) {
	each(t, func(t *testing.T, c connector) {
		ctx := guarded(t)
		s, _ := createStore(t, ctx, c)
		const size = 3*mib + 5
		mac, content := object(1, size)
		for _, kind := range []store.StorageResource{packfile, state, lock} {
			put(t, ctx, s, kind, mac, content)
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
				have, err := get(ctx, s, kind, mac, &store.Range{Offset: r.offset, Length: r.length})
				if err != nil || !bytes.Equal(have, content[r.start:r.end]) {
					t.Errorf("%v, %s: %d bytes came, %v", kind, name, len(have), err)
				}
			}
			// Here nothing comes, or an error.
			for name, r := range map[string]*store.Range{
				"right behind the end":  {Offset: size, Length: 10},
				"beyond the end":        {Offset: size + mib, Length: 10},
				"beyond any end":        {Offset: 1<<64 - 1, Length: 10},
				"of length 0":           {Offset: 5, Length: 0},
				"of length 0, at start": {Offset: 0, Length: 0},
			} {
				if have, _ := get(ctx, s, kind, mac, r); len(have) > 0 {
					t.Errorf("%v, %s: %d bytes came", kind, name, len(have))
				}
			}
		}
		if have, err := get(ctx, s, packfile, mac, nil); err != nil || !bytes.Equal(have, content) {
			t.Errorf("after all: %d bytes, %v", len(have), err)
		}
	})
}

func Test_an_object_that_was_deleted_is_gone(t *testing.T) {
	each(t, func(t *testing.T, c connector) {
		ctx := guarded(t)
		s, folder := createStore(t, ctx, c)
		for _, kind := range kinds {
			keep, content := object(1, 100)
			gone, _ := object(2, 100)
			put(t, ctx, s, kind, keep, content)
			put(t, ctx, s, kind, gone, content)
			if err := s.Delete(ctx, kind, gone); err != nil {
				t.Errorf("%v: %v", kind, err)
			}
			lists(t, ctx, s, kind, keep)
			if _, err := get(ctx, s, kind, gone, nil); err == nil {
				t.Errorf("%v: what was deleted is still there", kind)
			}
		}
		closed(t, ctx, s)
		s = reopen(t, ctx, c, folder)
		keep, _ := object(1, 100)
		for _, kind := range kinds {
			lists(t, ctx, s, kind, keep)
		}
	})
}

func Test_an_object_that_never_was_cannot_be_read(t *testing.T) {
	each(t, func(t *testing.T, c connector) {
		ctx := guarded(t)
		s, _ := createStore(t, ctx, c)
		mac, _ := object(1, 0)
		for _, kind := range kinds {
			if have, err := get(ctx, s, kind, mac, nil); err == nil {
				t.Errorf("%v: %d bytes came", kind, len(have))
			}
		}
		for _, short := range [][]byte{nil, mac[:31], append([]byte{1}, mac...)} {
			if _, err := s.Put(ctx, packfile, short, bytes.NewReader([]byte("content"))); err == nil {
				t.Errorf("a put with a MAC of %d bytes succeeded", len(short))
			}
			if _, err := get(ctx, s, packfile, short, nil); err == nil {
				t.Errorf("a get with a MAC of %d bytes succeeded", len(short))
			}
		}
		lists(t, ctx, s, packfile)
		closed(t, ctx, s)
	})
}

// beginPut sends some of an object, and leaves the call as it is.
func beginPut(t *testing.T, ctx context.Context, s *host.Store, kind store.StorageResource, mac, content []byte) {
	t.Helper()
	stream, err := s.BeginPut(ctx, kind, mac)
	if err != nil {
		t.Fatal(err)
	}
	for part := range chunks(content) {
		if err := stream.Send(&store.PutRequest{Chunk: part}); err != nil {
			t.Fatal(err)
		}
	}
}

func chunks(content []byte) func(func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for len(content) > 0 {
			n := min(len(content), mib)
			if !yield(content[:n]) {
				return
			}
			content = content[n:]
		}
	}
}

func Test_a_put_that_did_not_end_leaves_nothing(t *testing.T) {
	each(t, func(t *testing.T, c connector) {
		for _, kind := range kinds {
			mac, content := object(1, 8*mib)
			whole, small := object(2, 1000)
			t.Run("a put of "+kind.String()+" that was cut leaves nothing that list shows", func(t *testing.T) {
				ctx := guarded(t)
				s, folder := createStore(t, ctx, c)
				cut, cancel := context.WithCancel(ctx)
				beginPut(t, cut, s, kind, mac, content)
				cancel()
				lists(t, ctx, s, kind)
				put(t, ctx, s, kind, whole, small)
				lists(t, ctx, s, kind, whole)
				closed(t, ctx, s)
				lists(t, ctx, reopen(t, ctx, c, folder), kind, whole)
			})
			t.Run("a put of "+kind.String()+" that was abandoned leaves nothing that list shows and blocks no other", func(t *testing.T) {
				ctx := guarded(t)
				s, folder := createStore(t, ctx, c)
				beginPut(t, ctx, s, kind, mac, content)
				lists(t, ctx, s, kind)
				put(t, ctx, s, kind, whole, small)
				lists(t, ctx, s, kind, whole)
				closed(t, ctx, s)
				s = reopen(t, ctx, c, folder)
				lists(t, ctx, s, kind, whole)
				put(t, ctx, s, kind, mac, content)
				lists(t, ctx, s, kind, whole, mac)
			})
			t.Run("a put of "+kind.String()+" whose process was killed leaves nothing that list shows", func(t *testing.T) {
				ctx := guarded(t)
				s, folder := createStore(t, ctx, c)
				put(t, ctx, s, kind, whole, small)
				beginPut(t, ctx, s, kind, mac, content)
				s.Kill()
				s = reopen(t, ctx, c, folder)
				lists(t, ctx, s, kind, whole)
				if have, err := get(ctx, s, kind, whole, nil); err != nil || !bytes.Equal(have, small) {
					t.Errorf("the whole one: %d bytes, %v", len(have), err)
				}
			})
		}
	})
}

func Test_puts_that_were_abandoned_do_not_use_up_the_connection(t *testing.T) {
	each(t, func(t *testing.T, c connector) {
		ctx := guarded(t)
		s, _ := createStore(t, ctx, c)
		for n := range 8 {
			mac, content := object(uint64(n), 3*mib)
			beginPut(t, ctx, s, packfile, mac, content)
		}
		mac, content := object(100, 20*mib)
		put(t, ctx, s, packfile, mac, content)
		if have, err := get(ctx, s, packfile, mac, nil); err != nil || !bytes.Equal(have, content) {
			t.Errorf("%d bytes, %v", len(have), err)
		}
		lists(t, ctx, s, packfile, mac)
		closed(t, ctx, s)
	})
}

func Test_sixteen_large_puts_go_on_at_once(t *testing.T) {
	each(t, func(t *testing.T, c connector) {
		ctx := guarded(t)
		s, _ := createStore(t, ctx, c)
		var all sync.WaitGroup
		var macs [][]byte
		for n := range 16 {
			mac, content := object(uint64(n), 20*mib)
			macs = append(macs, mac)
			all.Go(func() {
				put(t, ctx, s, packfile, mac, content)
				if have, err := get(ctx, s, packfile, mac, nil); err != nil || !bytes.Equal(have, content) {
					t.Errorf("%x: %d bytes came, %v", mac, len(have), err)
				}
			})
		}
		all.Wait()
		lists(t, ctx, s, packfile, macs...)
		closed(t, ctx, s)
	})
}

func Test_many_small_objects_go_in_and_out_at_once(t *testing.T) {
	each(t, func(t *testing.T, c connector) {
		ctx := guarded(t)
		s, _ := createStore(t, ctx, c)
		var all sync.WaitGroup
		var macs [][]byte
		for n := range 200 {
			mac, content := object(uint64(n), 100+n)
			macs = append(macs, mac)
			all.Go(func() {
				put(t, ctx, s, state, mac, content)
				if have, err := get(ctx, s, state, mac, &store.Range{Offset: 50, Length: 1000}); err != nil || !bytes.Equal(have, content[50:]) {
					t.Errorf("%x: %d bytes came, %v", mac, len(have), err)
				}
			})
		}
		all.Wait()
		lists(t, ctx, s, state, macs...)
		closed(t, ctx, s)
	})
}
