package replay

import (
	"maps"
	"strings"

	"google.golang.org/protobuf/proto"

	"kloset-sdk/tests/grpc-go/wire/connectors"
	"kloset-sdk/tests/grpc-go/wire/exporter"
	"kloset-sdk/tests/grpc-go/wire/importer"
	"kloset-sdk/tests/grpc-go/wire/store"
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
	}
}

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
	}
}

// onlyHere tells whether a record is that of a folder above this place, which the recordings cannot have.
func (p places) onlyHere(message proto.Message) bool {
	m, ok := message.(*importer.ImportResponse)
	path := m.GetRecord().GetPathname()
	return ok && path != "/" && above(path, p.folder) && isPlainFolder(m.GetRecord())
}

// textRecorded is an error's text, with the places of the recordings.
func (p places) textRecorded(text string) string {
	if p.folder == "" {
		return text
	}
	return strings.ReplaceAll(text, p.folder, recordedFolder)
}
