package replay

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"kloset-sdk/tests/grpc-go/host"
	"kloset-sdk/tests/grpc-go/wire/connectors"
	"kloset-sdk/tests/grpc-go/wire/exporter10"
	"kloset-sdk/tests/grpc-go/wire/importer10"
)

// The processes of the recording of 1.0.6, which has no daemon.
var processes10 = []string{
	"01-create/store-1",
	"02-backup/importer-1", "02-backup/store-1",
	"03-backup-again/importer-1", "03-backup-again/store-1",
	"04-ls/store-1",
	"05-check/store-1",
	"06-restore/store-1", "06-restore/exporter-1",
	"07-rm/store-1",
	"08-maintenance/store-1",
	"09-missing-source/importer-1", "09-missing-source/store-1",
	"11-no-repo/store-1",
}

func Test_what_plakar_1_0_6_wrote_gets_the_answers_that_it_got_or_better_ones(t *testing.T) {
	each(t, func(t *testing.T, c connector) {
		folder, err := filepath.EvalSymlinks(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		here := places{protocol: c.name, folder: folder + recordedFolder}
		makeRemovable(t, folder)
		// Both were recorded on the same tree, but these records have all contents.
		withoutAttributes := makeTree(t, load(t, plakar114, "02-backup/importer-1", places{}), here)
		for _, name := range processes10 {
			if !t.Run(name, func(t *testing.T) {
				if withoutAttributes != nil && role(name) == "importer" {
					t.Skip(withoutAttributes)
				}
				playAll(t, c, load(t, plakar106, name, here), here)
			}) && strings.HasPrefix(name, "01-create/") {
				t.Fatal("everything else needs this store")
			}
		}
	})
}

// expectBetter changes what is expected where the recorded connector, or the Go SDK of its generation below it, was wrong.
func expectBetter(t *testing.T, r *recording) {
	t.Helper()
	attributed := map[string]bool{} // the files with an attribute that have not been opened yet
	for _, stream := range r.order {
		c := r.calls[stream]
		switch request := c.requests[0].(type) {
		case *exporter10.RootRequest:
			// The root is a path, and not the whole location.
			for _, answer := range c.answers {
				root := answer.(*exporter10.RootResponse)
				root.RootPath = strings.TrimPrefix(root.RootPath, recordedProtocol+"://")
			}
		case *exporter10.CreateLinkRequest:
			// The SDK handed the old name over as the new one too, so that no link could be made.
			if c.code != codes.OK {
				c.code, c.text, c.answers = codes.OK, "", []proto.Message{&exporter10.CreateLinkResponse{}}
			}
		case *importer10.ScanRequest:
			// A file and its attributes have one key, the pathname, so that sending the attributes costs the file its
			// content. They are left out here.
			c.answers = slices.DeleteFunc(c.answers, func(answer proto.Message) bool {
				found := answer.(*importer10.ScanResponse)
				isAttribute := found.GetRecord().GetXattr() != nil
				if isAttribute {
					attributed[found.GetPathname()] = true
				}
				return isAttribute
			})
		case *importer10.OpenReaderRequest:
			// What the host opens first is the file, and it gets the file's content, which in the recording was the
			// attribute's value. It closes the reader, and then opens what it took for the other of the two: the
			// recorded connector had no reader any more, and none is there now.
			if attributed[request.GetPathname()] {
				delete(attributed, request.GetPathname())
				c.code, c.text = codes.OK, ""
				c.answers = []proto.Message{&importer10.OpenReaderResponse{Chunk: contentOf(t, request.GetPathname())}}
			}
		}
	}
}

// contentOf is the content of a file of the recorded tree.
func contentOf(t *testing.T, pathname string) []byte {
	t.Helper()
	content, found := contents(load(t, plakar114, "02-backup/importer-1", places{}))[pathname]
	if !found {
		t.Fatalf("no recording has the content of %q", pathname)
	}
	return content
}

// restoredBy collects what the host sent to an exporter of generation 1.0, by the paths below its root.
func restoredBy(r *recording) []exported {
	root := r.calls[r.order[0]].root
	below := func(path string) string { return strings.TrimPrefix(restoredPath(path), root) }
	all := []exported{{record: &connectors.Record{Pathname: "/"}}}
	at := func(path string) *exported {
		i := slices.IndexFunc(all, func(e exported) bool { return e.record.GetPathname() == below(path) })
		if i < 0 {
			i = len(all)
			all = append(all, exported{record: &connectors.Record{Pathname: below(path)}})
		}
		return &all[i]
	}
	sizes := map[string]int64{}
	for _, stream := range r.order {
		for _, request := range r.calls[stream].requests {
			switch m := request.(type) {
			case *exporter10.CreateDirectoryRequest:
				at(m.GetPathname())
			case *exporter10.StoreFileRequest:
				header := r.calls[stream].requests[0].(*exporter10.StoreFileRequest).GetHeader()
				e := at(header.GetPathname())
				e.record.HasReader = true
				e.content = append(e.content, m.GetData().GetChunk()...)
				sizes[e.record.GetPathname()] = int64(header.GetSize())
			case *exporter10.SetPermissionsRequest:
				e, sent := at(m.GetPathname()), m.GetFileInfo()
				e.record.FileInfo = &connectors.FileInfo{
					Name: sent.GetName(), Size: sizes[e.record.GetPathname()], Mode: sent.GetMode(), ModTime: sent.GetModTime(),
					Dev: sent.GetDev(), Ino: sent.GetIno(), Uid: sent.GetUid(), Gid: sent.GetGid(), Nlink: sent.GetNlink(),
				}
			case *exporter10.CreateLinkRequest:
				if m.GetLtype() == host.SymbolicLink10 {
					at(m.GetNewname()).record.Target = m.GetOldname()
					continue
				}
				first, e := *at(m.GetOldname()), at(m.GetNewname())
				*e = exported{record: proto.CloneOf(first.record), content: first.content}
				e.record.Pathname = below(m.GetNewname())
			}
		}
	}
	return all
}
