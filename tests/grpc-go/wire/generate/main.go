// Command generate writes the Go code of the wire, from the project's .proto files, below the folder it is told.
//
// No protoc is needed: protocompile reads the .proto files, and the two plugins are tools of this module.
package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
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

// generation is one of the protocol's generations.
//
// Both have services and messages of the same names, and Go's protobuf knows each name once in a program. So the names of
// the older generation's messages are put below another package there; what travels does not hold them. A method's name
// does travel, so the code of the services is made from the .proto files as they are.
type generation struct {
	folder  string   // of the .proto files
	files   []string // without .proto
	below   string   // the package that the messages are put below, and the folder of their files
	goNames string   // what is added to the names of the Go packages
}

var generations = []generation{
	{folder: "v1_1", files: []string{"connectors", "importer", "exporter", "store"}},
	{folder: "v1_0", files: []string{"importer", "exporter", "store"}, below: "v1_0", goNames: "10"},
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: generate PROTO_FOLDER OUTPUT_FOLDER")
		os.Exit(2)
	}
	for _, g := range generations {
		if err := g.generate(filepath.Join(os.Args[1], g.folder), os.Args[2]); err != nil {
			fmt.Fprintf(os.Stderr, "generate, %s: %v\n", g.folder, err)
			os.Exit(1)
		}
	}
}

func (g generation) generate(protos, output string) error {
	for plugin, below := range map[string]string{"protoc-gen-go": g.below, "protoc-gen-go-grpc": ""} {
		request, err := g.compile(protos, below)
		if err != nil {
			return err
		}
		if err := run(plugin, request, output); err != nil {
			return fmt.Errorf("%s: %w", plugin, err)
		}
	}
	return nil
}

// compile makes the request that protoc would hand to its plugins.
func (g generation) compile(protos, below string) ([]byte, error) {
	source := &protocompile.SourceResolver{
		Accessor: func(name string) (io.ReadCloser, error) {
			text, err := os.ReadFile(filepath.Join(protos, strings.TrimPrefix(name, below+"/")))
			if err == nil && below != "" {
				text = bytes.Replace(text, []byte("\npackage "), []byte("\npackage "+below+"."), 1)
			}
			return io.NopCloser(bytes.NewReader(text)), err
		},
	}
	compiler := protocompile.Compiler{
		Resolver:       protocompile.WithStandardImports(source),
		SourceInfoMode: protocompile.SourceInfoStandard,
	}
	request := &pluginpb.CodeGeneratorRequest{}
	parameters := []string{"module=" + module}
	for _, name := range g.files {
		file := path.Join(below, name+".proto")
		request.FileToGenerate = append(request.FileToGenerate, file)
		parameters = append(parameters, "M"+file+"="+module+"/"+name+g.goNames)
	}
	request.Parameter = proto.String(strings.Join(parameters, ","))
	compiled, err := compiler.Compile(context.Background(), request.FileToGenerate...)
	if err != nil {
		return nil, err
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
