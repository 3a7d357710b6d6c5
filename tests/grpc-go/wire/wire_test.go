package wire

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

func Test_the_committed_code_is_what_the_proto_files_give(t *testing.T) {
	fresh := t.TempDir()
	command := exec.Command("go", "run", "kloset-sdk/tests/grpc-go/wire/generate", "../../../sdk-core/proto", fresh)
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("generate: %v\n%s", err, output)
	}
	generated, _ := filepath.Glob(filepath.Join(fresh, "*", "*.pb.go"))
	committed, _ := filepath.Glob(filepath.Join("*", "*.pb.go"))
	if len(generated) == 0 || len(generated) != len(committed) {
		t.Errorf("the .proto files give %d Go files, %d are committed: run go generate ./wire", len(generated), len(committed))
	}
	for _, path := range generated {
		name, _ := filepath.Rel(fresh, path)
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if have, _ := os.ReadFile(name); string(have) != string(want) {
			t.Errorf("wire/%s is not what the .proto files give: run go generate ./wire", name)
		}
	}
}
