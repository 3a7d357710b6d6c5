package replay

import (
	"maps"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"kloset-sdk/tests/grpc-go/host"
	"kloset-sdk/tests/grpc-go/wire/connectors"
	"kloset-sdk/tests/grpc-go/wire/exporter"
	"kloset-sdk/tests/grpc-go/wire/exporter10"
	"kloset-sdk/tests/grpc-go/wire/importer"
	"kloset-sdk/tests/grpc-go/wire/importer10"
	"kloset-sdk/tests/grpc-go/wire/store"
	"kloset-sdk/tests/grpc-go/wire/store10"
)

// Where everything was when the recordings were made, and the protocol of the connector.
const (
	recordedFolder   = "/srv"
	recordedProtocol = "rec"
)

// places is where a connector finds what the recordings have below /srv. The zero value is as recorded.
type places struct {
	protocol       string
	folder         string
	withoutOptions bool // leaves the user's options out
	cookie         string
}

// here is a recorded path, where it is now.
func (p places) here(path string) string {
	if rest, found := strings.CutPrefix(path, recordedFolder); found && p.folder != "" && (rest == "" || rest[0] == '/') {
		return p.folder + rest
	}
	return path
}

// recorded is the path that the recordings have for one of now.
func (p places) recorded(path string) string {
	if rest, found := strings.CutPrefix(path, p.folder); found && p.folder != "" && (rest == "" || rest[0] == '/') {
		return recordedFolder + rest
	}
	return path
}

// locationHere is a recorded location, as it is now.
func (p places) locationHere(location string) string {
	if path, found := strings.CutPrefix(location, recordedProtocol+"://"); found && p.folder != "" {
		return p.protocol + "://" + p.here(path)
	}
	return location
}

// requestHere is a request of the recorded host, with the places of now. Nothing else in it changes.
func (p places) requestHere(message proto.Message) {
	if p.folder == "" {
		return
	}
	switch m := message.(type) {
	case *importer.InitRequest:
		m.Proto = p.protocol
		p.configHere(m.Config)
	case *exporter.InitRequest:
		m.Proto = p.protocol
		p.configHere(m.Config)
	case *store.InitRequest:
		m.Proto = p.protocol
		p.configHere(m.Config)
	case *importer.OpenRequest:
		p.recordHere(m.GetRecord())
	case *importer.ImportRequest:
		p.recordHere(m.GetResult().GetHeader())
	case *exporter.ExportRequest:
		p.recordHere(m.GetRecord())
	default:
		p.request10Here(message)
	}
}

func (p places) request10Here(message proto.Message) {
	if cookie := message.ProtoReflect().Descriptor().Fields().ByName("cookie"); cookie != nil && p.cookie != "" {
		message.ProtoReflect().Set(cookie, protoreflect.ValueOfString(p.cookie))
	}
	switch m := message.(type) {
	case *importer10.InitRequest:
		m.Proto = p.protocol
		p.configHere(m.Config)
	case *exporter10.InitRequest:
		m.Proto = p.protocol
		p.configHere(m.Config)
	case *store10.InitRequest:
		m.Proto = p.protocol
		p.configHere(m.Config)
	case *importer10.OpenReaderRequest:
		m.Pathname = p.here(m.Pathname)
	case *importer10.CloseReaderRequest:
		m.Pathname = p.here(m.Pathname)
	case *exporter10.CreateDirectoryRequest:
		m.Pathname = p.here(restoredPath(m.Pathname))
	case *exporter10.SetPermissionsRequest:
		m.Pathname = p.here(restoredPath(m.Pathname))
	case *exporter10.StoreFileRequest:
		if m.GetHeader() != nil {
			m.GetHeader().Pathname = p.here(restoredPath(m.GetHeader().Pathname))
		}
	case *exporter10.CreateLinkRequest:
		m.Newname = p.here(restoredPath(m.Newname))
		if m.Ltype == host.HardLink10 {
			m.Oldname = p.here(restoredPath(m.Oldname))
		}
	}
}

// restoredPath is a path as the host would have made it with the right root. The recorded exporter of 1.0.6 said that its root
// was its whole location, so that all paths begin with what path.Join makes of rec:///srv/restored.
func restoredPath(path string) string { return strings.TrimPrefix(path, recordedProtocol+":") }

func (p places) configHere(config map[string]string) {
	if p.withoutOptions {
		maps.DeleteFunc(config, func(key, _ string) bool { return key != "location" })
	}
	config["location"] = p.locationHere(config["location"])
}

func (p places) recordHere(record *connectors.Record) {
	if record != nil {
		record.Pathname = p.here(record.Pathname)
	}
}

// keyHere is the key of a recorded record, with the places of now.
func (p places) keyHere(record *connectors.Record) string {
	record = proto.CloneOf(record)
	p.recordHere(record)
	return recordKey(record)
}

// answerRecorded is an answer of now, with the places of the recordings.
func (p places) answerRecorded(message proto.Message) {
	switch m := message.(type) {
	case *importer.InitResponse:
		m.Root = p.recorded(m.Root)
	case *exporter.InitResponse:
		m.Root = p.recorded(m.Root)
	case *store.InitResponse:
		m.Root = p.recorded(m.Root)
	case *importer.ImportResponse:
		if m.GetRecord() != nil {
			m.Record.Pathname = p.recorded(m.Record.Pathname)
		}
	case *exporter.ExportResponse:
		if m.GetResult().GetHeader() != nil {
			m.Result.Header.Pathname = p.recorded(m.Result.Header.Pathname)
		}
	case *importer10.InfoResponse:
		m.Root = p.recorded(m.Root)
	case *importer10.ScanResponse:
		m.Pathname = p.recorded(m.Pathname)
	case *exporter10.RootResponse:
		m.RootPath = p.recorded(m.RootPath)
	case *store10.GetLocationResponse:
		if path, found := strings.CutPrefix(m.Location, p.protocol+"://"); found && p.folder != "" {
			m.Location = recordedProtocol + "://" + p.recorded(path)
		}
	}
}

// onlyHere tells whether a record is that of a folder above this place, which the recordings cannot have.
func (p places) onlyHere(message proto.Message) bool {
	record := recordOf(message)
	path := record.GetPathname()
	return record != nil && path != "/" && above(path, p.folder) && isPlainFolder(record)
}

// textRecorded is an error's text, with the places of the recordings.
func (p places) textRecorded(text string) string {
	if p.folder == "" {
		return text
	}
	return strings.ReplaceAll(text, p.folder, recordedFolder)
}
