package replay

import (
	"maps"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"kloset-sdk/tests/grpc-go/wire/exporter"
)

// The processes of the recording that ran one after the other; the daemon ran beside them.
var processes = []string{
	"01-create/store-1",
	"02-backup/importer-1", "02-backup/importer-2", "02-backup/store-1",
	"03-backup-again/importer-1", "03-backup-again/importer-2", "03-backup-again/store-1",
	"04-ls/store-1",
	"05-check/store-1",
	"06-restore/store-1", "06-restore/exporter-1",
	"07-rm/store-1",
	"08-maintenance/store-1",
	"09-missing-source/importer-1", "09-missing-source/store-1",
	"10-source-check/importer-1",
	"11-no-repo/store-1",
}

// daemon is the host's cache daemon, which kept the store open. Its listings tell what it saw between the others:
// how many calls it had made after each of them.
const daemon = "02-backup/store-2"

var daemonCalls = map[string]int{"01-create/store-1": 3, "02-backup/store-1": 4, "03-backup-again/store-1": 8, "07-rm/store-1": 12}

func Test_what_plakar_1_1_4_wrote_gets_the_answers_that_it_got(t *testing.T) {
	each(t, func(t *testing.T, c connector) {
		folder, err := filepath.EvalSymlinks(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		here := places{protocol: c.name, folder: folder + recordedFolder}
		makeRemovable(t, folder)
		withoutAttributes := makeTree(t, load(t, plakar114, "02-backup/importer-1", places{}), here)

		kept := load(t, plakar114, daemon, here)
		var keeper *player
		for _, name := range processes {
			if !t.Run(name, func(t *testing.T) {
				if withoutAttributes != nil && role(name) == "importer" {
					t.Skip(withoutAttributes)
				}
				playAll(t, c, load(t, plakar114, name, here), here)
			}) && strings.HasPrefix(name, "01-create/") {
				t.Fatal("everything else needs this store")
			}
			if calls := daemonCalls[name]; calls > 0 {
				if keeper == nil {
					keeper = start(t, c.with(role(daemon)), kept, here)
				}
				if err := keeper.play(calls); err != nil {
					t.Fatalf("%s: %v", daemon, err)
				}
			}
		}
		if err := keeper.finish(); err != nil {
			t.Errorf("%s: %v", daemon, err)
		}
		compare(t, kept, keeper.answers())
	})
}

// role is what a recording's process was.
func role(name string) string {
	role, _, _ := strings.Cut(filepath.Base(name), "-")
	return role
}

// playAll plays a process from its start to its end.
func playAll(t *testing.T, c connector, r *recording, here places) {
	t.Helper()
	p := start(t, append(c.with(role(r.name)), r.host.arguments...), r, here)
	if err := p.finish(); err != nil {
		t.Fatal(err)
	}
	now := p.answers()
	init := r.calls[r.order[0]]
	if options := optionsOf(init); len(options) > 0 {
		said := now[init.stream].text + p.log.String()
		if password := options["password"]; password != "" && strings.Contains(said, password) {
			t.Errorf("the password is in what the connector says: %s", said)
		}
		if !here.withoutOptions && refuses(now[init.stream], options) {
			t.Logf("played again without the options, because of: %s", now[init.stream].text)
			here.withoutOptions = true
			playAll(t, c, load(t, r.host, r.name, here), here)
			return
		}
	}
	forgive(r)
	compare(t, r, now)
	for _, stream := range r.order {
		if export := r.calls[stream]; strings.HasSuffix(export.method, "/Export") {
			compareTree(t, here.here(export.root), exportedBy(export))
		}
	}
	if r.host == plakar106 && role(r.name) == "exporter" {
		compareTree(t, here.here(init.root), restoredBy(r))
	}
}

// optionsOf are the options that the user had given.
func optionsOf(init *call) map[string]string {
	options := maps.Clone(init.requests[0].(interface{ GetConfig() map[string]string }).GetConfig())
	delete(options, "location")
	return options
}

// refuses tells whether Init failed because of an option. The recorded connector took options that it did not know;
// others need not.
func refuses(init *call, options map[string]string) bool {
	for name := range options {
		if init.code != codes.OK && strings.Contains(init.text, name) {
			return true
		}
	}
	return false
}

// forgive takes the errors out of the results of the recorded exporter: it could not make a hard link, which others can.
func forgive(r *recording) {
	for _, c := range r.calls {
		for _, answer := range c.answers {
			if a, ok := answer.(*exporter.ExportResponse); ok {
				a.Result.Error = ""
			}
		}
	}
}

// compare expects the recorded answers, and makes sure that others would have been noticed.
func compare(t *testing.T, r *recording, now map[uint32]*call) {
	t.Helper()
	tried := 0
	for _, stream := range r.order {
		recorded := r.calls[stream]
		if now[stream] == nil {
			t.Errorf("%s on stream %d was not called", recorded.method, stream)
			continue
		}
		found := differences(recorded, now[stream])
		for _, difference := range found {
			t.Errorf("%s on stream %d: %s", recorded.method, stream, difference)
		}
		if len(found) == 0 {
			tried += notices(t, recorded, now[stream])
		}
	}
	t.Logf("%s: %d calls compared, %d changes would have been noticed", r.name, len(r.order), tried)
}

// compareTree expects on the disk what was sent, and makes sure that something else would have been noticed.
func compareTree(t *testing.T, root string, sent []exported) {
	t.Helper()
	found := treeDifferences(root, sent)
	for _, difference := range found {
		t.Error(difference)
	}
	if len(found) > 0 {
		return
	}
	tried := 0
	for i, e := range sent {
		for what, change := range map[string]func(e *exported){
			"path":    func(e *exported) { e.record.Pathname += "x" },
			"mode":    func(e *exported) { e.record.FileInfo.Mode ^= 1 },
			"time":    func(e *exported) { e.record.FileInfo.ModTime.Nanos ^= 1 },
			"target":  func(e *exported) { e.record.Target += "x" },
			"size":    func(e *exported) { e.record.FileInfo.Size++ },
			"content": func(e *exported) { e.content = append([]byte{'x'}, e.content...) },
		} {
			switch {
			case what == "target" && e.record.GetTarget() == "",
				(what == "size" || what == "content") && !e.record.GetHasReader(),
				(what == "mode" || what == "time") && e.record.GetFileInfo() == nil:
				continue
			}
			changed := append([]exported{}, sent...)
			changed[i].record = proto.CloneOf(e.record)
			change(&changed[i])
			if len(treeDifferences(root, changed)) == 0 {
				t.Errorf("with another %s of %q the comparison notices nothing", what, e.record.GetPathname())
			}
			tried++
		}
	}
	t.Logf("%d files on the disk compared, %d changes would have been noticed", len(sent), tried)
}
