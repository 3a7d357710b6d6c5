package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"

	"kloset-sdk/tests/grpc-go/host"
	"kloset-sdk/tests/grpc-go/pattern"
	"kloset-sdk/tests/grpc-go/wire/store"
)

var kinds = map[string]store.StorageResource{
	"packfile":     store.StorageResource_STORAGE_RESOURCE_PACKFILE,
	"state":        store.StorageResource_STORAGE_RESOURCE_STATE,
	"lock":         store.StorageResource_STORAGE_RESOURCE_LOCK,
	"ecc-packfile": store.StorageResource_STORAGE_RESOURCE_ECC_PACKFILE,
	"ecc-state":    store.StorageResource_STORAGE_RESOURCE_ECC_STATE,
}

// storeCommand is one command on a store that is open.
type storeCommand struct {
	connector *host.Store
	kind      store.StorageResource
	mac       []byte
	part      *store.Range
	content   io.Reader
	output    io.Writer
	size      int64
}

func runStore(ctx context.Context, arguments []string) error {
	c := newFlags("store", "fs", "/")
	kindName := c.String("kind", "packfile", "`packfile|state|lock|ecc-packfile|ecc-state`")
	mac := c.String("mac", "", "the object's MAC, 64 hexadecimal digits (put: by default the SHA-256 of the content)")
	file := c.String("file", "-", "put: the file to store; get: where to write to")
	offset := c.Int64("offset", 0, "get: where the range starts")
	length := c.Int64("length", -1, "get: how long the range is; less than 0: no range")
	create := c.Bool("create", false, "create the store first, instead of opening it")
	size := c.Int64("size", 20<<20, "roundtrip: how large the object is")
	ctx, cancel, words, command, err := c.parse(ctx, arguments)
	if err != nil {
		return err
	}
	defer cancel()
	if len(command) == 0 {
		return errNoCommand
	}
	operations := map[string]func(context.Context, *storeCommand) (any, error){
		"put": putObject, "get": getObject, "list": listObjects, "delete": deleteObject, "roundtrip": roundtrip,
	}
	if len(words) != 1 || operations[words[0]] == nil {
		return errors.New("one of put, get, list, delete and roundtrip has to be named")
	}
	job := &storeCommand{kind: kinds[*kindName], size: *size, output: io.Discard}
	if job.kind == 0 {
		return fmt.Errorf("there is no kind %q", *kindName)
	}
	if *length >= 0 {
		job.part = &store.Range{Offset: uint64(*offset), Length: uint32(*length)}
	}
	if *mac != "" {
		if job.mac, err = hex.DecodeString(*mac); err != nil {
			return err
		}
	} else if words[0] == "get" || words[0] == "delete" {
		return errors.New("-mac is missing")
	}
	switch words[0] {
	case "put":
		content, err := readFile(*file)
		if err != nil {
			return err
		}
		if job.mac == nil {
			sum := sha256.Sum256(content)
			job.mac = sum[:]
		}
		job.content = bytes.NewReader(content)
	case "get":
		if *file == "-" {
			job.output = os.Stdout
		} else {
			output, err := os.Create(*file)
			if err != nil {
				return err
			}
			defer output.Close()
			job.output = output
		}
	}

	job.connector, err = host.StartStore(ctx, command, c.proto, c.configuration(nil), c.options(1))
	if err != nil {
		return err
	}
	if *create {
		_, err = job.connector.Calls.Create(ctx, &store.CreateRequest{Config: []byte("made by grpc-go-host")})
	} else {
		_, err = job.connector.Calls.Open(ctx, &store.OpenRequest{})
	}
	var answer any
	if err == nil {
		answer, err = operations[words[0]](ctx, job)
	}
	if err := errors.Join(err, job.connector.Close(ctx)); err != nil {
		return err
	}
	if job.output == os.Stdout { // which holds the object
		return nil
	}
	return printJSON(answer)
}

func readFile(name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(os.Stdin)
	}
	return os.ReadFile(name)
}

func putObject(ctx context.Context, job *storeCommand) (any, error) {
	n, err := job.connector.Put(ctx, job.kind, job.mac, job.content)
	return map[string]any{"mac": hex.EncodeToString(job.mac), "bytes_written": n}, err
}

func getObject(ctx context.Context, job *storeCommand) (any, error) {
	var total int64
	sum := sha256.New()
	err := job.connector.Get(ctx, job.kind, job.mac, job.part, func(chunk []byte) error {
		total += int64(len(chunk))
		sum.Write(chunk)
		_, err := job.output.Write(chunk)
		return err
	})
	return map[string]any{"bytes": total, "sha256": hex.EncodeToString(sum.Sum(nil))}, err
}

func listObjects(ctx context.Context, job *storeCommand) (any, error) {
	macs, err := job.connector.List(ctx, job.kind)
	names := make([]string, len(macs))
	for i, mac := range macs {
		names[i] = hex.EncodeToString(mac)
	}
	return map[string]any{"macs": names}, err
}

func deleteObject(ctx context.Context, job *storeCommand) (any, error) {
	return map[string]any{"deleted": hex.EncodeToString(job.mac)}, job.connector.Delete(ctx, job.kind, job.mac)
}

// roundtrip puts an object, finds it listed, reads it whole and in parts, deletes it and finds it gone.
func roundtrip(ctx context.Context, job *storeCommand) (any, error) {
	content := bytes.Repeat(pattern.Block, int(job.size/int64(len(pattern.Block))+1))[:job.size]
	sum := sha256.Sum256(content)
	job.mac = sum[:]
	if n, err := job.connector.Put(ctx, job.kind, job.mac, bytes.NewReader(content)); err != nil {
		return nil, fmt.Errorf("put: %w", err)
	} else if n != job.size {
		return nil, fmt.Errorf("put: %d bytes were written of %d", n, job.size)
	}
	if err := job.expectListed(ctx, true); err != nil {
		return nil, err
	}
	size := uint64(job.size)
	parts := []*store.Range{nil, {Offset: 0, Length: 1}, {Offset: size / 2, Length: 4096}, {Offset: size - 1, Length: 4096}}
	for _, part := range parts {
		want := content
		if part != nil {
			end := min(part.GetOffset()+uint64(part.GetLength()), size)
			want = content[min(part.GetOffset(), end):end]
		}
		var have []byte
		err := job.connector.Get(ctx, job.kind, job.mac, part, func(chunk []byte) error {
			have = append(have, chunk...)
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("get %v: %w", part, err)
		}
		if !bytes.Equal(have, want) {
			return nil, fmt.Errorf("get %v: the content differs (%d bytes instead of %d)", part, len(have), len(want))
		}
	}
	if err := job.connector.Delete(ctx, job.kind, job.mac); err != nil {
		return nil, fmt.Errorf("delete: %w", err)
	}
	if err := job.expectListed(ctx, false); err != nil {
		return nil, err
	}
	return map[string]any{"roundtrip": "identical", "bytes": job.size}, nil
}

func (job *storeCommand) expectListed(ctx context.Context, expected bool) error {
	macs, err := job.connector.List(ctx, job.kind)
	if err != nil {
		return fmt.Errorf("list: %w", err)
	}
	for _, mac := range macs {
		if bytes.Equal(mac, job.mac) {
			if !expected {
				return errors.New("list: the object is still there after it was deleted")
			}
			return nil
		}
	}
	if expected {
		return errors.New("list: the object that was put is not there")
	}
	return nil
}
