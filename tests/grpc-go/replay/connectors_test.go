// Package replay plays what a real plakar once wrote to a filesystem connector (../../recordings) into other
// filesystem connectors, and compares what they answer with what that connector answered. Which ones, the
// environment variable KLOSET_CONNECTORS tells: a list of name=command, separated by ";". See ../README.md.
package replay

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
)

const variable = "KLOSET_CONNECTORS"

func TestMain(m *testing.M) {
	if os.Getenv(variable) == "" {
		fmt.Println("skipped: " + variable + " names no connectors to play the recordings into")
	}
	os.Exit(m.Run()) // the comparison is tried without connectors too
}

// connector is an executable with the three roles; its name is its protocol.
type connector struct {
	name    string
	command []string
}

// with is the command line of a role.
func (c connector) with(role string) []string {
	return append(append([]string{}, c.command...), role)
}

// each runs a test once for every connector.
func each(t *testing.T, test func(t *testing.T, c connector)) {
	t.Helper()
	if os.Getenv(variable) == "" {
		t.Skip(variable + " names no connectors")
	}
	for _, text := range strings.Split(os.Getenv(variable), ";") {
		text = strings.TrimSpace(text)
		if text == "" {
			continue
		}
		name, command, found := strings.Cut(text, "=")
		if !found || len(strings.Fields(command)) == 0 {
			t.Fatalf("%s: %q is not name=command", variable, text)
		}
		t.Run(name, func(t *testing.T) { test(t, connector{name: name, command: strings.Fields(command)}) })
	}
}

// logBuffer keeps what a connector says on stderr.
type logBuffer struct {
	mutex  sync.Mutex
	buffer bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.buffer.Write(p)
}

func (l *logBuffer) String() string {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.buffer.String()
}
