package replay

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"kloset-sdk/tests/grpc-go/wire/connectors"
	"kloset-sdk/tests/grpc-go/wire/importer"
)

const (
	guardTime      = time.Minute // then a process that still is awaited is killed
	firstWindow    = 65535       // of HTTP/2, before anyone says otherwise
	mostInFrame    = 16384
	importMethod   = "/importer.Importer/Import"
	openMethod     = "/importer.Importer/Open"
	lowCredit      = 16 << 10 // an answer that has less left may not come
	creditToppedUp = 64 << 10
)

// player writes a recording's frames to a connector, and reads what it answers.
//
// The host's SETTINGS and PINGs, its flow-control credit and its headers go out as they were. But the connection is this
// connector's own, and no host would break its rules, so:
//   - acknowledgments are not those of the recording, they answer what this connector sends;
//   - DATA waits for this connector's windows;
//   - a PING with which the host measured what came is left out where nothing has come since the one before;
//   - while the player waits, it adds credit where longer answers than the recorded ones have used it up.
type player struct {
	r       *recording
	here    places
	command *exec.Cmd
	log     *logBuffer // its stderr
	guard   *time.Timer
	cancel  context.CancelFunc
	next    int // the frame that comes next

	mutex   sync.Mutex
	changed *sync.Cond // whatever is below
	broken  error      // why nothing more will come
	gone    bool       // its stdout is at its end

	out     bytes.Buffer // what has to be written
	framer  *http2.Framer
	closing bool

	settled bool              // the connector's SETTINGS have come
	heard   bool              // something of an answer has come since the last PING
	window  int64             // of the connection, to the connector
	initial int64             // and of a new stream
	windows map[uint32]int64  // and of each stream
	credit  int64             // what the connector may send on the connection
	begins  int64             // and on a new stream
	credits map[uint32]int64  // and on each stream
	streams map[uint32]*reply // the answers
	records []*connectors.Record
	known   map[string]bool // the records that have come, by their key
	results map[string]bool // those that have a result in the recording, or got one
}

// reply is what came on a stream so far.
type reply struct {
	call
	data    []byte // of a message that is not whole
	headers bool
	done    bool
}

// recordKey tells the records of an import apart.
func recordKey(record *connectors.Record) string {
	if record.GetIsXattr() {
		return record.GetPathname() + " attribute " + record.GetXattrName()
	}
	return record.GetPathname()
}

// start runs a connector, and writes nothing but the preface.
func start(t *testing.T, command []string, r *recording, here places) *player {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	p := &player{
		r: r, here: here, log: &logBuffer{}, cancel: cancel,
		command: exec.CommandContext(ctx, command[0], command[1:]...),
		window:  firstWindow, initial: firstWindow, windows: map[uint32]int64{},
		credit: firstWindow, begins: firstWindow, credits: map[uint32]int64{},
		streams: map[uint32]*reply{}, known: map[string]bool{}, results: map[string]bool{},
	}
	for _, c := range r.calls {
		for _, request := range c.requests {
			if result, ok := request.(*importer.ImportRequest); ok {
				p.results[here.keyHere(result.GetResult().GetHeader())] = true
			}
		}
	}
	p.changed = sync.NewCond(&p.mutex)
	p.framer = http2.NewFramer(&p.out, nil)
	p.out.WriteString(http2.ClientPreface)
	p.command.Stderr = p.log
	p.command.WaitDelay = guardTime
	stdin, err := p.command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := p.command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	p.guard = time.AfterFunc(guardTime, func() {
		p.fail(fmt.Errorf("nothing had happened for %v", guardTime))
		cancel()
	})
	p.guard.Stop()
	var both sync.WaitGroup
	both.Go(func() { p.write(stdin) })
	both.Go(func() { p.read(stdout) })
	t.Cleanup(func() {
		cancel()
		p.fail(errors.New("the test is over"))
		both.Wait()
		p.command.Wait()
		if t.Failed() && p.log.String() != "" {
			t.Logf("the connector's stderr:\n%s", p.log.String())
		}
	})
	return p
}

func (p *player) fail(err error) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if p.broken == nil {
		p.broken = err
	}
	p.changed.Broadcast()
}

// write is the one who writes, so that nobody else waits for a pipe.
func (p *player) write(stdin io.WriteCloser) {
	defer stdin.Close()
	for {
		p.mutex.Lock()
		for p.out.Len() == 0 && !p.closing && p.broken == nil {
			p.changed.Wait()
		}
		bytes := bytes.Clone(p.out.Bytes())
		p.out.Reset()
		p.mutex.Unlock()
		if len(bytes) == 0 {
			return
		}
		if _, err := stdin.Write(bytes); err != nil {
			p.fail(err)
			return
		}
	}
}

// read takes what the connector sends, until its stdout ends.
func (p *player) read(stdout io.Reader) {
	framer := http2.NewFramer(nil, stdout)
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	var err error
	for err == nil {
		var f http2.Frame
		if f, err = framer.ReadFrame(); err == nil {
			p.mutex.Lock()
			err = p.take(f)
			p.changed.Broadcast()
			p.mutex.Unlock()
		}
	}
	if err != io.EOF {
		err = fmt.Errorf("what the connector sends: %w", err)
	} else {
		err = errors.New("the connector has closed its stdout")
	}
	p.fail(err)
	io.Copy(io.Discard, stdout)
	p.mutex.Lock()
	p.gone = true
	p.changed.Broadcast()
	p.mutex.Unlock()
}

// take understands a frame of the connector.
func (p *player) take(f http2.Frame) error {
	switch f := f.(type) {
	case *http2.SettingsFrame:
		if f.IsAck() {
			return nil
		}
		p.settled = true
		if size, found := f.Value(http2.SettingInitialWindowSize); found {
			for stream := range p.windows {
				p.windows[stream] += int64(size) - p.initial
			}
			p.initial = int64(size)
		}
		return p.framer.WriteSettingsAck()
	case *http2.PingFrame:
		if f.IsAck() {
			return nil
		}
		return p.framer.WritePing(true, f.Data)
	case *http2.WindowUpdateFrame:
		if f.StreamID == 0 {
			p.window += int64(f.Increment)
		} else {
			p.windows[f.StreamID] += int64(f.Increment)
		}
		return nil
	case *http2.GoAwayFrame:
		if f.ErrCode != http2.ErrCodeNo {
			return fmt.Errorf("GOAWAY %v %q", f.ErrCode, f.DebugData())
		}
		return nil
	}
	s := p.streams[f.Header().StreamID]
	if s == nil {
		return fmt.Errorf("%v on a stream that was not begun", f.Header())
	}
	p.heard = true
	switch f := f.(type) {
	case *http2.MetaHeadersFrame:
		return s.takeHeaders(f)
	case *http2.DataFrame:
		p.credit -= int64(f.Length)
		p.credits[f.StreamID] -= int64(f.Length)
		if f.StreamEnded() {
			return fmt.Errorf("stream %d ended without a status", f.StreamID)
		}
		return p.takeData(s, f.Data())
	case *http2.RSTStreamFrame:
		if !s.done { // after the status it only says that the rest of the request is not wanted
			s.done, s.code, s.text = true, codes.Internal, "RST_STREAM "+f.ErrCode.String()
		}
		return nil
	}
	return fmt.Errorf("%v was not thought of", f.Header())
}

// takeHeaders understands the headers of an answer and its trailers.
func (s *reply) takeHeaders(f *http2.MetaHeadersFrame) error {
	fields := map[string]string{}
	for _, field := range f.Fields {
		fields[field.Name] = field.Value
	}
	if !s.headers {
		s.headers = true
		if fields[":status"] != "200" || fields["content-type"] != "application/grpc" {
			return fmt.Errorf("stream %d is answered with %v", f.StreamID, fields)
		}
	}
	if !f.StreamEnded() {
		return nil
	}
	code, err := strconv.Atoi(fields["grpc-status"])
	if err != nil {
		return fmt.Errorf("stream %d ends with %v", f.StreamID, fields)
	}
	if len(s.data) > 0 {
		return fmt.Errorf("stream %d ends inside of a message", f.StreamID)
	}
	s.done, s.code = true, codes.Code(code)
	s.text, err = url.PathUnescape(fields["grpc-message"])
	return err
}

// takeData understands the messages of an answer.
func (p *player) takeData(s *reply, data []byte) error {
	s.data = append(s.data, data...)
	for {
		body, length, err := message(s.data)
		if err != nil || body == nil {
			return err
		}
		answer, err := p.r.host.decode(s.method, false, body)
		if err != nil {
			return err
		}
		s.data = s.data[length:]
		s.answers = append(s.answers, answer)
		if imported, ok := answer.(*importer.ImportResponse); ok && imported.GetRecord() != nil {
			p.records = append(p.records, imported.Record)
			p.known[recordKey(imported.Record)] = true
		}
	}
}

// await waits, with the lock held, until something is so.
func (p *player) await(what string, so func() bool) error {
	for !so() {
		if p.broken != nil {
			return fmt.Errorf("while the player waited for %s: %w", what, p.broken)
		}
		if err := p.attend(); err != nil {
			return err
		}
		p.changed.Wait()
	}
	return nil
}

// attend does what a host does while it waits: it gives credit, and a result for every record.
func (p *player) attend() error {
	if p.credit < lowCredit {
		p.credit += creditToppedUp
		if err := p.framer.WriteWindowUpdate(0, creditToppedUp); err != nil {
			return err
		}
	}
	for stream, s := range p.streams {
		if !s.done && p.credits[stream] < lowCredit {
			p.credits[stream] += creditToppedUp
			if err := p.framer.WriteWindowUpdate(stream, creditToppedUp); err != nil {
				return err
			}
		}
	}
	p.changed.Broadcast()
	return p.answerOthers()
}

// answerOthers gives a result to the records that the recording does not have: the folders above this place.
func (p *player) answerOthers() error {
	for stream, c := range p.r.calls {
		if c.method != importMethod || p.streams[stream] == nil {
			continue
		}
		for _, record := range p.records {
			if key := recordKey(record); !p.results[key] {
				p.results[key] = true
				data, err := framed(&importer.ImportRequest{Result: &connectors.Result{Header: record}})
				if err != nil {
					return err
				}
				p.windows[stream] -= int64(len(data))
				p.window -= int64(len(data))
				if err := p.framer.WriteData(stream, false, data); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// play writes the frames up to a number of calls, and waits until these have been answered as far as they were then.
func (p *player) play(calls int) error {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.guard.Reset(guardTime)
	defer p.guard.Stop()
	for ; p.next < len(p.r.frames); p.next++ {
		f := &p.r.frames[p.next]
		if f.kind == http2.FrameHeaders && len(p.streams) == calls {
			break
		}
		if err := p.send(f); err != nil {
			return err
		}
		p.changed.Broadcast()
	}
	begun := len(p.streams)
	return p.await("the answers at the end", func() bool {
		for _, stream := range p.r.order[:begun] {
			if !p.streams[stream].done {
				return false
			}
		}
		return true
	})
}

// send writes a frame, when it is its time.
func (p *player) send(f *frame) error {
	for _, stream := range p.r.ended[:f.after] {
		c := p.r.calls[stream]
		err := p.await(fmt.Sprintf("the end of %s on stream %d", c.method, stream), func() bool { return p.streams[stream].done })
		if err != nil {
			return err
		}
	}
	switch f.kind {
	case http2.FrameData:
		return p.sendData(f)
	case http2.FrameSettings:
		if f.flags.Has(http2.FlagSettingsAck) {
			return nil
		}
		for at := 0; at+6 <= len(f.payload); at += 6 {
			if http2.SettingID(binary.BigEndian.Uint16(f.payload[at:])) == http2.SettingInitialWindowSize {
				size := int64(binary.BigEndian.Uint32(f.payload[at+2:]))
				for stream := range p.credits {
					p.credits[stream] += size - p.begins
				}
				p.begins = size
			}
		}
	case http2.FramePing:
		if f.flags.Has(http2.FlagPingAck) || !p.heard {
			return nil
		}
		p.heard = false
	case http2.FrameWindowUpdate:
		if increment := int64(binary.BigEndian.Uint32(f.payload)); f.stream == 0 {
			p.credit += increment
		} else {
			p.credits[f.stream] += increment
		}
	case http2.FrameHeaders:
		if err := p.await("the connector's SETTINGS", func() bool { return p.settled }); err != nil {
			return err
		}
		if err := p.takeCookie(); err != nil {
			return err
		}
		c := p.r.calls[f.stream]
		if open, ok := c.requests[0].(*importer.OpenRequest); ok {
			if err := p.awaitRecord(open.GetRecord()); err != nil {
				return err
			}
		}
		p.streams[f.stream] = &reply{call: call{stream: f.stream, method: c.method, root: c.root, requests: c.requests}}
		p.windows[f.stream] += p.initial
		p.credits[f.stream] += p.begins
	default:
		return fmt.Errorf("the host's %v was not thought of", f.kind)
	}
	return p.framer.WriteRawFrame(f.kind, f.flags, f.stream, f.payload)
}

// takeCookie puts the cookie that Init has answered with into everything that the host says from here on. That of the
// recordings was empty.
func (p *player) takeCookie() error {
	init := p.streams[p.r.order[0]]
	if init == nil || len(init.answers) == 0 || p.here.cookie != "" {
		return nil
	}
	answer, ok := init.answers[0].(interface{ GetCookie() string })
	if !ok || answer.GetCookie() == "" {
		return nil
	}
	p.here.cookie = answer.GetCookie()
	again, err := read(p.r.host, p.r.name, p.here)
	if err == nil {
		p.r.frames = again.frames // the same ones, only their bytes have changed
	}
	return err
}

// awaitRecord waits for a record of an import, before the host says something about it.
func (p *player) awaitRecord(recorded *connectors.Record) error {
	key := p.here.keyHere(recorded)
	return p.await("the record "+key, func() bool {
		if p.known[key] {
			return true
		}
		for _, s := range p.streams {
			if s.method == importMethod && s.done && p.broken == nil {
				p.broken = fmt.Errorf("the import has ended with %d records, %v %q", len(p.records), s.code, s.text)
			}
		}
		return false
	})
}

func (p *player) sendData(f *frame) error {
	for _, m := range f.messages {
		if result, ok := m.(*importer.ImportRequest); ok {
			if err := p.awaitRecord(result.GetResult().GetHeader()); err != nil {
				return err
			}
		}
	}
	s := p.streams[f.stream]
	if f.end && s.method == importMethod {
		err := p.await("the end of the import's records", func() bool {
			if len(s.answers) == 0 {
				return s.done
			}
			last, _ := s.answers[len(s.answers)-1].(*importer.ImportResponse)
			return last.GetFinished() || s.done
		})
		if err == nil {
			err = p.answerOthers()
		}
		if err != nil {
			return err
		}
	}
	for data := f.data; len(data) > 0; {
		room := func() int64 { return min(p.window, p.windows[f.stream], mostInFrame, int64(len(data))) }
		err := p.await(fmt.Sprintf("a window for stream %d", f.stream), func() bool { return room() > 0 || s.done })
		if err != nil {
			return err
		}
		if s.done {
			return nil // the connector has answered early, and wants no more
		}
		n := room()
		p.window -= n
		p.windows[f.stream] -= n
		if err := p.framer.WriteData(f.stream, f.end && int(n) == len(data), data[:n]); err != nil {
			return err
		}
		data = data[n:]
		p.changed.Broadcast()
	}
	if f.end && len(f.data) == 0 && !s.done {
		return p.framer.WriteData(f.stream, true, nil)
	}
	return nil
}

// answers is what came, with the places of the recordings.
func (p *player) answers() map[uint32]*call {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	calls := map[uint32]*call{}
	for stream, s := range p.streams {
		c := s.call
		c.answers, c.text = nil, p.here.textRecorded(c.text)
		for _, answer := range s.answers {
			if p.here.onlyHere(answer) {
				continue
			}
			answer = proto.Clone(answer)
			p.here.answerRecorded(answer)
			c.answers = append(c.answers, answer)
		}
		calls[stream] = &c
	}
	return calls
}

// finish writes the rest, closes the connector's stdin, and waits for its end.
func (p *player) finish() error {
	if err := p.play(len(p.r.order)); err != nil {
		return err
	}
	p.mutex.Lock()
	p.guard.Reset(guardTime)
	p.closing = true
	p.changed.Broadcast()
	for !p.gone {
		p.changed.Wait()
	}
	p.mutex.Unlock()
	err := p.command.Wait()
	p.guard.Stop()
	if err != nil {
		return fmt.Errorf("the connector ended badly: %w", err)
	}
	return nil
}
