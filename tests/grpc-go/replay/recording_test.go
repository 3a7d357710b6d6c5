package replay

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"kloset-sdk/tests/grpc-go/host"
	_ "kloset-sdk/tests/grpc-go/wire/exporter"
	_ "kloset-sdk/tests/grpc-go/wire/exporter10"
	_ "kloset-sdk/tests/grpc-go/wire/importer"
	_ "kloset-sdk/tests/grpc-go/wire/importer10"
	_ "kloset-sdk/tests/grpc-go/wire/store"
	_ "kloset-sdk/tests/grpc-go/wire/store10"
)

// version is a version of plakar that was recorded.
type version struct {
	folder    string
	below     string   // what comes before the names of its generation's messages in Go
	arguments []string // what its manifests add to the role
}

var (
	plakar114 = &version{folder: "../../recordings/plakar-1.1.4"}
	plakar106 = &version{folder: "../../recordings/plakar-1.0.6", below: "v1_0.", arguments: host.Arguments10}
)

// recording is what a host and one process of a connector said to each other.
type recording struct {
	host   *version
	name   string
	frames []frame          // of the host, all of them in their order
	calls  map[uint32]*call // by stream
	order  []uint32         // the streams, as the host began them
	ended  []uint32         // the streams, as the connector ended them
}

// call is one call, with everything that was said in it.
type call struct {
	stream   uint32
	method   string // "/store.Store/Get"
	root     string // the path of the process's location, as recorded
	requests []proto.Message
	answers  []proto.Message
	code     codes.Code
	text     string // of an error
}

// frame is one HTTP/2 frame of the host.
type frame struct {
	kind     http2.FrameType
	flags    http2.Flags
	stream   uint32
	payload  []byte          // of any frame but DATA
	data     []byte          // of DATA, with the places of now
	messages []proto.Message // those that end in this DATA frame, as recorded
	end      bool            // the half-close
	after    int             // how many of recording.ended came before this
}

// load reads a recording, and puts the places of now into what the host wrote.
func load(t *testing.T, host *version, name string, here places) *recording {
	t.Helper()
	r, err := read(host, name, here)
	if err != nil {
		t.Fatalf("the recording %s of %s: %v", name, host.folder, err)
	}
	if host == plakar106 {
		expectBetter(t, r)
	}
	return r
}

func read(host *version, name string, here places) (*recording, error) {
	r := &recording{host: host, name: name, calls: map[uint32]*call{}}
	after, err := r.readEvents(filepath.Join(host.folder, name+".jsonl.gz"))
	if err == nil {
		err = r.readFrames(filepath.Join(host.folder, name+".host.bin.gz"), here, after)
	}
	if err != nil {
		return nil, err
	}
	init := r.calls[r.order[0]].requests[0].(interface{ GetConfig() map[string]string })
	for _, c := range r.calls {
		c.root = strings.TrimPrefix(init.GetConfig()["location"], recordedProtocol+"://")
	}
	return r, nil
}

func unpack(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	unpacked, err := gzip.NewReader(bufio.NewReader(file))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(unpacked)
}

// event is a line of the recorded exchange.
type event struct {
	By, Event, Method, Message string
	Stream                     uint32
	Wire                       []byte // base64
	Code                       codes.Code
}

// doneBefore is how many calls had ended before each thing that the host said in one call.
type doneBefore struct {
	call, halfClose int
	messages        []int
}

// readEvents reads the exchange as it was understood when it was recorded.
func (r *recording) readEvents(path string) (map[uint32]*doneBefore, error) {
	lines, err := unpack(path)
	if err != nil {
		return nil, err
	}
	after := map[uint32]*doneBefore{}
	for decoder := json.NewDecoder(bytes.NewReader(lines)); ; {
		var e event
		if err := decoder.Decode(&e); err == io.EOF {
			return after, nil
		} else if err != nil {
			return nil, err
		}
		c := r.calls[e.Stream]
		if c == nil && e.Event != "call" {
			continue // settings and pings, which the host's bytes have too
		}
		switch e.By + " " + e.Event {
		case "host call":
			r.calls[e.Stream] = &call{stream: e.Stream, method: e.Method, code: codes.Unknown, text: "it was not recorded to the end"}
			r.order = append(r.order, e.Stream)
			after[e.Stream] = &doneBefore{call: len(r.ended)}
		case "host message", "connector message":
			message, err := r.host.decode(c.method, e.By == "host", e.Wire)
			if err != nil {
				return nil, err
			}
			if e.By == "host" {
				c.requests = append(c.requests, message)
				after[e.Stream].messages = append(after[e.Stream].messages, len(r.ended))
			} else {
				c.answers = append(c.answers, message)
			}
		case "host half-close":
			after[e.Stream].halfClose = len(r.ended)
		case "connector status":
			c.code, c.text = e.Code, e.Message
			r.ended = append(r.ended, e.Stream)
		case "connector headers":
		default:
			return nil, fmt.Errorf("an event that was not thought of: %+v", e)
		}
	}
}

// decode makes a message of a method's request or answer.
func (v *version) decode(method string, request bool, wire []byte) (proto.Message, error) {
	service, name, _ := strings.Cut(strings.TrimPrefix(method, "/"), "/")
	found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(v.below + service))
	if err != nil {
		return nil, err
	}
	described := found.(protoreflect.ServiceDescriptor).Methods().ByName(protoreflect.Name(name))
	if described == nil {
		return nil, fmt.Errorf("%s is not in the .proto files", method)
	}
	kind := described.Output()
	if request {
		kind = described.Input()
	}
	made, err := protoregistry.GlobalTypes.FindMessageByName(kind.FullName())
	if err != nil {
		return nil, err
	}
	message := made.New().Interface()
	if err := proto.Unmarshal(wire, message); err != nil {
		return nil, fmt.Errorf("%s: %w in %s", method, err, base64.StdEncoding.EncodeToString(wire))
	}
	return message, nil
}

// sentMessage is where a message is among the bytes of its stream, and what goes there now.
type sentMessage struct {
	from, to int
	recorded proto.Message
	now      []byte // nil: as it was
}

// readFrames splits what the host wrote into frames.
func (r *recording) readFrames(path string, here places, after map[uint32]*doneBefore) error {
	written, err := unpack(path)
	if err != nil {
		return err
	}
	rest, found := bytes.CutPrefix(written, []byte(http2.ClientPreface))
	if !found {
		return errors.New("the host's bytes do not begin with the preface")
	}
	sent := map[uint32][]byte{} // the bytes of all messages of a stream
	headers := hpack.NewDecoder(4096, nil)
	for reader := bytes.NewReader(rest); reader.Len() > 0; {
		header, err := http2.ReadFrameHeader(reader)
		if err != nil {
			return err
		}
		f := frame{kind: header.Type, flags: header.Flags, stream: header.StreamID, payload: make([]byte, header.Length)}
		if _, err := io.ReadFull(reader, f.payload); err != nil {
			return err
		}
		if f.stream != 0 && r.calls[f.stream] == nil {
			return fmt.Errorf("%v on a stream that has no call", header)
		}
		switch f.kind {
		case http2.FrameData:
			if f.flags.Has(http2.FlagDataPadded) {
				return fmt.Errorf("%v is padded", header)
			}
			f.end = f.flags.Has(http2.FlagDataEndStream)
			sent[f.stream] = append(sent[f.stream], f.payload...)
		case http2.FrameHeaders:
			if f.flags != http2.FlagHeadersEndHeaders {
				return fmt.Errorf("%v has flags that were not thought of", header)
			}
			f.after = after[f.stream].call
			fields, err := headers.DecodeFull(f.payload)
			if err != nil {
				return err
			}
			for _, field := range fields {
				if field.Name == ":path" && field.Value != r.calls[f.stream].method {
					return fmt.Errorf("stream %d calls %s instead of %s", f.stream, field.Value, r.calls[f.stream].method)
				}
			}
		}
		r.frames = append(r.frames, f)
	}
	messages := map[uint32][]sentMessage{}
	for stream, data := range sent {
		if messages[stream], err = r.split(r.calls[stream], data, here); err != nil {
			return fmt.Errorf("stream %d: %w", stream, err)
		}
	}
	r.putMessages(messages, after)
	return nil
}

// split finds the messages in the bytes of a stream, which have to be those that were understood then.
func (r *recording) split(c *call, data []byte, here places) ([]sentMessage, error) {
	var messages []sentMessage
	for at := 0; at < len(data); {
		body, length, err := message(data[at:])
		if err != nil || body == nil {
			return nil, fmt.Errorf("no whole message at %d: %v", at, err)
		}
		n := len(messages)
		decoded, err := r.host.decode(c.method, true, body)
		if err != nil {
			return nil, err
		}
		if n >= len(c.requests) || !proto.Equal(decoded, c.requests[n]) {
			return nil, fmt.Errorf("message %d of %s is not the one that was understood", n, c.method)
		}
		m := sentMessage{from: at, to: at + length, recorded: c.requests[n]}
		if here.requestHere(decoded); !proto.Equal(decoded, m.recorded) {
			if m.now, err = framed(decoded); err != nil {
				return nil, err
			}
		}
		messages = append(messages, m)
		at += length
	}
	if len(messages) != len(c.requests) {
		return nil, fmt.Errorf("%d messages of %s instead of %d", len(messages), c.method, len(c.requests))
	}
	return messages, nil
}

// message takes the first of gRPC's messages from data, and tells how long it is there. It is nil while it is not whole.
func message(data []byte) (body []byte, length int, err error) {
	if len(data) < 5 {
		return nil, 0, nil
	}
	if data[0] != 0 {
		return nil, 0, errors.New("a compressed message")
	}
	length = 5 + int(binary.BigEndian.Uint32(data[1:]))
	if len(data) < length {
		return nil, 0, nil
	}
	return data[5:length:length], length, nil
}

// framed is a message as gRPC puts it into DATA.
func framed(m proto.Message) ([]byte, error) {
	body, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(body))), body...), err
}

// putMessages gives the DATA frames their bytes of now: a message that has changed goes whole where it began.
func (r *recording) putMessages(messages map[uint32][]sentMessage, after map[uint32]*doneBefore) {
	at := map[uint32]int{}
	for i := range r.frames {
		f := &r.frames[i]
		if f.kind != http2.FrameData {
			continue
		}
		from, to := at[f.stream], at[f.stream]+len(f.payload)
		at[f.stream] = to
		for n, m := range messages[f.stream] {
			if m.to <= from || m.from >= to {
				continue
			}
			switch {
			case m.now == nil:
				f.data = append(f.data, f.payload[max(m.from, from)-from:min(m.to, to)-from]...)
			case m.from >= from:
				f.data = append(f.data, m.now...)
			}
			if m.to <= to { // a message was noted when it had ended
				f.messages = append(f.messages, m.recorded)
				f.after = max(f.after, after[f.stream].messages[n])
			}
		}
		if f.end {
			f.after = max(f.after, after[f.stream].halfClose)
		}
	}
}
