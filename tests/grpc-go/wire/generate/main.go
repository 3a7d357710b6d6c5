// Command generate writes the Go code of the wire, from the project's .proto files, below the folder it is told.
//
// No protoc is needed: protocompile reads the .proto files, and the two plugins are tools of this module.
package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/bufbuild/protocompile"
	"github.com/bufbuild/protocompile/protoutil"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"
)

// Where the generated packages live. The .proto files belong to every language, so they name no Go package.
const module = "kloset-sdk/tests/grpc-go/wire"

var files = []string{"connectors.proto", "importer.proto", "exporter.proto", "store.proto"}

var plugins = []string{"protoc-gen-go", "protoc-gen-go-grpc"}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: generate PROTO_FOLDER OUTPUT_FOLDER")
		os.Exit(2)
	}
	if err := generate(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func generate(protos, output string) error {
	request, err := compile(protos)
	if err != nil {
		return err
	}
	for _, plugin := range plugins {
		if err := run(plugin, request, output); err != nil {
			return fmt.Errorf("%s: %w", plugin, err)
		}
	}
	return nil
}

// compile makes the request that protoc would hand to its plugins.
func compile(protos string) ([]byte, error) {
	compiler := protocompile.Compiler{
		Resolver:       protocompile.WithStandardImports(&protocompile.SourceResolver{ImportPaths: []string{protos}}),
		SourceInfoMode: protocompile.SourceInfoStandard,
	}
	compiled, err := compiler.Compile(context.Background(), files...)
	if err != nil {
		return nil, err
	}
	parameters := []string{"module=" + module}
	for _, file := range files {
		parameters = append(parameters, "M"+file+"="+module+"/"+strings.TrimSuffix(file, ".proto"))
	}
	request := &pluginpb.CodeGeneratorRequest{
		FileToGenerate: files,
		Parameter:      proto.String(strings.Join(parameters, ",")),
	}
	known := map[string]bool{}
	for _, file := range compiled {
		request.ProtoFile = withImports(request.ProtoFile, file, known)
	}
	return proto.Marshal(request)
}

// withImports appends a file after everything that it imports.
func withImports(list []*descriptorpb.FileDescriptorProto, file protoreflect.FileDescriptor, known map[string]bool) []*descriptorpb.FileDescriptorProto {
	if known[file.Path()] {
		return list
	}
	known[file.Path()] = true
	imports := file.Imports()
	for i := range imports.Len() {
		list = withImports(list, imports.Get(i).FileDescriptor, known)
	}
	return append(list, protoutil.ProtoFromFileDescriptor(file))
}

func run(plugin string, request []byte, output string) error {
	command := exec.Command("go", "tool", plugin)
	command.Stdin = bytes.NewReader(request)
	command.Stderr = os.Stderr
	answer, err := command.Output()
	if err != nil {
		return err
	}
	response := &pluginpb.CodeGeneratorResponse{}
	if err := proto.Unmarshal(answer, response); err != nil {
		return err
	}
	if response.Error != nil {
		return fmt.Errorf("%s", response.GetError())
	}
	for _, file := range response.File {
		path := filepath.Join(output, file.GetName())
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(file.GetContent()), 0o644); err != nil {
			return err
		}
	}
	return nil
}
