package replay

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"kloset-sdk/tests/grpc-go/wire/connectors"
)

// mutant is an answer with one thing changed.
type mutant struct {
	what string
	call *call
}

// notCompared are the fields that may differ from connector to connector, and from disk to disk.
var notCompared = []string{
	"importer.InitResponse.origin", "importer.InitResponse.type", "importer.InitResponse.flags",
	"plakar.exporter.InitResponse.origin", "plakar.exporter.InitResponse.type", "plakar.exporter.InitResponse.flags",
	"store.InitResponse.origin", "store.InitResponse.type", "store.InitResponse.flags",
	"plakar.connectors.FileInfo.dev", "plakar.connectors.FileInfo.ino",
	"plakar.connectors.FileInfo.uid", "plakar.connectors.FileInfo.gid",
	"plakar.connectors.FileInfo.username", "plakar.connectors.FileInfo.groupname",
	"plakar.connectors.FileInfo.flags", "plakar.connectors.Record.file_attributes",

	"v1_0.importer.InitResponse.cookie", "v1_0.exporter.InitResponse.cookie", "v1_0.store.InitResponse.cookie",
	"v1_0.importer.InfoResponse.origin", "v1_0.importer.InfoResponse.type",
	"v1_0.importer.FileInfo.dev", "v1_0.importer.FileInfo.ino", "v1_0.importer.FileInfo.uid", "v1_0.importer.FileInfo.gid",
	"v1_0.importer.FileInfo.username", "v1_0.importer.FileInfo.groupname",
	"v1_0.importer.FileInfo.flags", "v1_0.importer.ScanRecord.file_attributes",
}

// mutants changes everything in a call's answer that has to be compared, one thing at a time.
func mutants(c *call) []mutant {
	var all []mutant
	with := func(what string, change func(c *call)) {
		changed := *c
		changed.answers = slices.Clone(c.answers)
		change(&changed)
		all = append(all, mutant{what, &changed})
	}
	if c.code == codes.OK {
		with("an error", func(c *call) { c.code, c.text = codes.Internal, "no" })
	} else {
		with("no error", func(c *call) { c.code, c.text = codes.OK, "" })
		with("an error without a text", func(c *call) { c.text = "" })
		with("UNAVAILABLE", func(c *call) { c.code = codes.Unavailable })
	}
	for i, answer := range c.answers {
		with(fmt.Sprintf("without answer %d", i), func(c *call) { c.answers = slices.Delete(c.answers, i, i+1) })
		with(fmt.Sprintf("answer %d twice", i), func(c *call) { c.answers = slices.Insert(c.answers, i, answer) })
		var skip []string
		if !strings.HasSuffix(c.method, "/Export") {
			skip = notCompared
			if record := recordOf(answer); record != nil {
				skip = append(slices.Clone(skip), notComparedOf(record, c.root)...)
			}
		}
		changes(answer.ProtoReflect(), nil, skip, func(path []protoreflect.FieldDescriptor, change func(protoreflect.Message)) {
			with(fmt.Sprintf("answer %d, %s", i, path[len(path)-1].FullName()), func(c *call) {
				changed := proto.Clone(answer)
				at := changed.ProtoReflect()
				for _, field := range path[:len(path)-1] {
					at = at.Mutable(field).Message()
				}
				change(at)
				c.answers[i] = changed
			})
		})
	}
	return all
}

// notComparedOf are the fields that do not matter in a certain record.
func notComparedOf(record *connectors.Record, root string) []string {
	switch mode := record.GetFileInfo().GetMode(); {
	case above(record.GetPathname(), root):
		return []string{
			"plakar.connectors.FileInfo", "plakar.connectors.Record.is_xattr", "plakar.connectors.Record.xattr_name",
			"plakar.connectors.Record.xattr_type", "plakar.connectors.Record.target", "plakar.connectors.Record.extended_attributes",
			"v1_0.importer.FileInfo", "v1_0.importer.ScanRecord.target",
		}
	case mode&directory != 0:
		return []string{
			"plakar.connectors.FileInfo.size", "plakar.connectors.FileInfo.nlink",
			"v1_0.importer.FileInfo.size", "v1_0.importer.FileInfo.nlink",
		}
	case mode&goTypes != 0:
		return []string{"plakar.connectors.FileInfo.size", "v1_0.importer.FileInfo.size"}
	}
	return nil
}

// changes calls with a change for every field, present or not, of a message and of those in it.
func changes(m protoreflect.Message, path []protoreflect.FieldDescriptor, skip []string, found func([]protoreflect.FieldDescriptor, func(protoreflect.Message))) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		field := fields.Get(i)
		if slices.Contains(skip, string(field.FullName())) {
			continue
		}
		below := append(slices.Clone(path), field)
		switch {
		case field.IsList():
			found(below, func(m protoreflect.Message) {
				list := m.Mutable(field).List()
				list.Append(changed(field, list.NewElement()))
			})
			if m.Get(field).List().Len() > 0 {
				found(below, func(m protoreflect.Message) { list := m.Mutable(field).List(); list.Truncate(list.Len() - 1) })
				found(below, func(m protoreflect.Message) {
					list := m.Mutable(field).List()
					list.Set(0, changed(field, list.Get(0)))
				})
			}
		case field.Kind() == protoreflect.MessageKind:
			if m.Has(field) && !slices.Contains(skip, string(field.Message().FullName())) {
				changes(m.Get(field).Message(), below, skip, found)
			}
		default:
			found(below, func(m protoreflect.Message) { m.Set(field, changed(field, m.Get(field))) })
		}
	}
}

// changed is another value for a field.
func changed(field protoreflect.FieldDescriptor, value protoreflect.Value) protoreflect.Value {
	switch field.Kind() {
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(!value.Bool())
	case protoreflect.Int32Kind:
		return protoreflect.ValueOfInt32(int32(value.Int()) ^ 1)
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(value.Int() ^ 1)
	case protoreflect.Uint32Kind:
		return protoreflect.ValueOfUint32(uint32(value.Uint()) ^ 1)
	case protoreflect.Uint64Kind:
		return protoreflect.ValueOfUint64(value.Uint() ^ 1)
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(value.Enum() ^ 1)
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(value.String() + "x")
	case protoreflect.BytesKind:
		content := bytes.Clone(value.Bytes())
		if len(content) == 0 {
			return protoreflect.ValueOfBytes([]byte{0})
		}
		content[len(content)/2] ^= 1
		return protoreflect.ValueOfBytes(content)
	case protoreflect.MessageKind: // in a list
		message := proto.Clone(value.Message().Interface()).ProtoReflect()
		inside := message.Descriptor().Fields().Get(0)
		message.Set(inside, changed(inside, message.Get(inside)))
		return protoreflect.ValueOfMessage(message)
	}
	panic("a field that was not thought of: " + field.FullName())
}

// notices expects that the comparison with any changed expectation fails. It returns how many it tried.
func notices(t *testing.T, recorded, now *call) int {
	t.Helper()
	all := mutants(recorded)
	for _, m := range all {
		if len(differences(m.call, now)) == 0 {
			t.Errorf("%s on stream %d: with %s the comparison notices nothing", recorded.method, recorded.stream, m.what)
		}
	}
	return len(all)
}

func Test_the_comparison_notices_every_change_of_an_answer(t *testing.T) {
	for _, host := range []*version{plakar114, plakar106} {
		names, err := filepath.Glob(filepath.Join(host.folder, "*", "*.jsonl.gz"))
		if err != nil || len(names) == 0 {
			t.Fatalf("there are no recordings: %v", err)
		}
		for _, path := range names {
			name, _ := filepath.Rel(host.folder, strings.TrimSuffix(path, ".jsonl.gz"))
			r := load(t, host, name, places{})
			tried := 0
			for _, stream := range r.order {
				c := r.calls[stream]
				if found := differences(c, c); len(found) > 0 {
					t.Errorf("%s on stream %d differs from itself: %v", c.method, stream, found)
				}
				tried += notices(t, c, c)
			}
			t.Logf("%s, %s: %d calls, %d changes", filepath.Base(host.folder), name, len(r.order), tried)
		}
	}
}
