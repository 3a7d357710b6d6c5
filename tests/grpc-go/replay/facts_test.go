package replay

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	"kloset-sdk/tests/grpc-go/wire/connectors"
	"kloset-sdk/tests/grpc-go/wire/exporter"
	"kloset-sdk/tests/grpc-go/wire/exporter10"
	"kloset-sdk/tests/grpc-go/wire/importer"
	"kloset-sdk/tests/grpc-go/wire/importer10"
	"kloset-sdk/tests/grpc-go/wire/store"
	"kloset-sdk/tests/grpc-go/wire/store10"
)

// facts is what a call's answer says, as far as two connectors on the same data have to agree in it.
type facts map[string]string

func (f facts) add(name, format string, values ...any) {
	value := fmt.Sprintf(format, values...)
	if before, found := f[name]; found {
		value = before + ", and again " + value
	}
	f[name] = value
}

// differences compares what a connector answered in a call with what was recorded.
func differences(recorded, now *call) []string {
	var found []string
	want, have := factsOf(recorded), factsOf(now)
	if want["the status"] != have["the status"] && now.code != codes.OK {
		found = append(found, fmt.Sprintf("it fails: %v %q", now.code, now.text))
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if value, known := have[name]; !known {
			found = append(found, fmt.Sprintf("%s is missing, it was %s", name, want[name]))
		} else if value != want[name] {
			found = append(found, fmt.Sprintf("%s is %s instead of %s", name, value, want[name]))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(have)) {
		if _, known := want[name]; !known {
			found = append(found, fmt.Sprintf("%s is %s, and was not there", name, have[name]))
		}
	}
	return found
}

// givesContent matches the methods whose answers are the parts of one content.
var givesContent = regexp.MustCompile(`/(Open|Get|OpenReader|GetState|GetPackfile|GetPackfileBlob|GetLock)$`)

// factsOf collects a call's facts.
func factsOf(c *call) facts {
	f := facts{}
	f.addStatus(c)
	f.addAnswers(c)
	return f
}

// addStatus compares errors in kind: what they say is the connector's own.
func (f facts) addStatus(c *call) {
	switch {
	case c.code == codes.OK:
		f.add("the status", "OK")
		return
	case c.code == codes.Unavailable || c.code == codes.Canceled:
		f.add("the status", "%v, whose text the host does not show", c.code)
	case c.text == "":
		f.add("the status", "an error without a text")
	default:
		f.add("the status", "an error")
	}
	if strings.HasSuffix(c.method, "/Init") {
		f.add("that the error names the path", "%v", strings.Contains(c.text, c.root))
	}
}

func (f facts) addAnswers(c *call) {
	var content []byte
	stream, links := false, map[[2]uint64][]string{}
	for i, answer := range c.answers {
		switch a := answer.(type) {
		case *importer.InitResponse:
			f.addLocation(a)
		case *exporter.InitResponse:
			f.addLocation(a)
		case *store.InitResponse:
			f.addLocation(a)
		case *importer.ImportResponse, *importer10.ScanResponse:
			stream = true
			record := recordOf(a)
			if record != nil {
				f.addRecord(record, c.root)
				if info := record.GetFileInfo(); info.GetMode()&directory == 0 && info.GetNlink() > 1 {
					file := [2]uint64{info.GetDev(), info.GetIno()}
					links[file] = append(links[file], record.GetPathname())
				}
			}
			if a, ok := a.(*importer.ImportResponse); ok && a.GetFinished() {
				f.add("finished", "at the end: %v, with a record: %v", i == len(c.answers)-1, record != nil)
			}
		case *exporter.ExportResponse:
			stream = true
			f.addResult(a.GetResult())
		case *importer10.InitResponse:
			f.add("an error in the answer of Init", "%v", a.Error != nil)
		case *exporter10.InitResponse, *store10.InitResponse: // which have a cookie of their own
		case *importer10.InfoResponse:
			f.addLocation(a)
		case *exporter10.RootResponse:
			f.add("the root", "%s", a.GetRootPath())
		case *store10.GetLocationResponse:
			f.add("the location", "%s", a.GetLocation())
		case interface{ GetChunk() []byte }: // of all contents
			stream = true
			content = append(content, f.chunk(a.GetChunk())...)
		case interface{ GetConfig() []byte }:
			f.add("the configuration", "%s", digest(a.GetConfig()))
		case interface{ GetMode() int32 }:
			f.add("the mode", "%d", a.GetMode())
		case interface{ GetSize() int64 }:
			f.add("the size", "%d", a.GetSize())
		case interface{ GetBytesWritten() int64 }:
			f.add("the bytes written", "%d", a.GetBytesWritten())
		case *store.ListResponse:
			macs := slices.SortedFunc(slices.Values(a.GetMacs()), bytes.Compare)
			f.add("the list", "%x", macs)
		case interface{ GetMacs() []*store10.MAC }:
			var macs []string
			for _, mac := range a.GetMacs() {
				macs = append(macs, fmt.Sprintf("%x", mac.GetValue()))
			}
			slices.Sort(macs)
			f.add("the list", "%s", macs)
		default:
			f.add("the answer", "{%s}", prototext.Format(a)) // has nothing in it
		}
	}
	for _, paths := range links {
		slices.Sort(paths)
		f.add(fmt.Sprintf("%q and its hard links", paths[0]), "%q", paths)
	}
	switch {
	case givesContent.MatchString(c.method):
		f.add("the content", "%s", digest(content))
	case !stream:
		f.add("the number of answers", "%d", len(c.answers))
	}
}

// chunk is a part of a content. An empty one is an error for the host.
func (f facts) chunk(chunk []byte) []byte {
	if len(chunk) == 0 {
		f.add("an empty chunk", "there")
	}
	return chunk
}

func digest(content []byte) string {
	if len(content) < 16 {
		return fmt.Sprintf("%q", content)
	}
	return fmt.Sprintf("%d bytes with the SHA-256 %x", len(content), sha256.Sum256(content))
}

// addLocation leaves out the origin, the type and the flags, which are the connector's own.
func (f facts) addLocation(answer interface{ GetRoot() string }) {
	f.add("the root", "%s", answer.GetRoot())
}

// recordOf is the record in an answer of either generation, as it would be in 1.1.
func recordOf(answer proto.Message) *connectors.Record {
	switch a := answer.(type) {
	case *importer.ImportResponse:
		return a.GetRecord()
	case *importer10.ScanResponse:
		found, info := a.GetRecord(), &connectors.FileInfo{}
		wire, err := proto.Marshal(found.GetFileinfo()) // both have the same twelve fields
		if err == nil {
			err = proto.Unmarshal(wire, info)
		}
		if err != nil {
			panic(err)
		}
		record := &connectors.Record{
			Pathname: a.GetPathname(), Error: a.GetError().GetMessage(), Target: found.GetTarget(),
			HasReader: found != nil && info.GetMode()&goTypes == 0,
		}
		if attribute := found.GetXattr(); attribute != nil {
			record.IsXattr, record.XattrName = true, attribute.GetName()
		} else if found != nil {
			record.FileInfo = info
		}
		return record
	}
	return nil
}

const (
	directory = 1 << 31
	goTypes   = uint32(fs.ModeType)
)

// addRecord leaves out numbers and owners of files, which differ from file system to file system, and says no more than
// that it is there of a folder above the root.
func (f facts) addRecord(record *connectors.Record, root string) {
	name := fmt.Sprintf("%q", recordKey(record))
	about := func(what, format string, values ...any) { f.add(name+" "+what, format, values...) }
	info := record.GetFileInfo()
	if above(record.GetPathname(), root) && isPlainFolder(record) {
		f.add(name, "a folder above the root")
		return
	}
	about("hasReader", "%v", record.GetHasReader())
	about("error", "%q", record.GetError())
	about("target", "%q", record.GetTarget())
	about("attributes", "%q", slices.Sorted(slices.Values(record.GetExtendedAttributes())))
	about("isXattr", "%v %q %d", record.GetIsXattr(), record.GetXattrName(), record.GetXattrType())
	if info == nil {
		about("entry", "none")
		return
	}
	about("name", "%q", info.GetName())
	about("mode", "%v", modeText(info.GetMode()))
	about("mtime", "%d.%09d", info.GetModTime().GetSeconds(), info.GetModTime().GetNanos())
	if info.GetMode()&goTypes == 0 {
		about("size", "%d", info.GetSize())
	}
	if info.GetMode()&directory == 0 {
		about("nlink", "%d", info.GetNlink())
	}
}

func isPlainFolder(record *connectors.Record) bool {
	return record.GetFileInfo().GetMode()&directory != 0 && !record.GetHasReader() && record.GetError() == ""
}

func modeText(mode uint32) string { return fmt.Sprintf("%v (%#x)", fs.FileMode(mode), mode) }

// above tells whether a path is a folder above another one.
func above(path, other string) bool {
	return path != other && strings.HasPrefix(other, strings.TrimSuffix(path, "/")+"/")
}

// addResult compares the header of a result with all that it has: it is the record that the host sent.
func (f facts) addResult(result *connectors.Result) {
	header, err := proto.MarshalOptions{Deterministic: true}.Marshal(result.GetHeader())
	name := fmt.Sprintf("the result for %q", recordKey(result.GetHeader()))
	f.add(name, "%q", cmp.Or(result.GetError(), fmt.Sprint(err)))
	f.add(name+" has the header", "%s", digest(header))
}
