package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"kloset-sdk/tests/grpc-go/host"
)

// common are the flags of every command that starts a connector.
type common struct {
	*flag.FlagSet
	proto    string
	location string
	config   pairs
	timeout  time.Duration
	excludes list
	noXattr  bool
}

func newFlags(name, proto, location string) *common {
	c := &common{FlagSet: flag.NewFlagSet(name, flag.ExitOnError), config: pairs{}}
	c.StringVar(&c.proto, "proto", proto, "the protocol's `name`")
	c.StringVar(&c.location, "location", location, "what follows <proto>:// in the location, or a whole location")
	c.Var(c.config, "config", "a configuration `key=value`, may be repeated")
	c.DurationVar(&c.timeout, "timeout", 10*time.Minute, "give up after this long")
	return c
}

// parse splits what was given into flags, words and the connector's command line, and bounds the context.
func (c *common) parse(ctx context.Context, arguments []string) (bounded context.Context, cancel func(), words, command []string, err error) {
	for i, argument := range arguments {
		if argument == "--" {
			arguments, command = arguments[:i], arguments[i+1:]
			break
		}
	}
	// Words may stand before, between and after the flags.
	for len(arguments) > 0 {
		if err := c.Parse(arguments); err != nil {
			return nil, nil, nil, nil, err
		}
		arguments = c.Args()
		if len(arguments) > 0 {
			words, arguments = append(words, arguments[0]), arguments[1:]
		}
	}
	bounded, cancel = context.WithTimeout(ctx, c.timeout)
	return bounded, cancel, words, command, nil
}

func (c *common) configuration(defaults map[string]string) map[string]string {
	config := host.Config(c.proto, c.location, defaults)
	if strings.Contains(c.location, "://") {
		config["location"] = c.location
	}
	for key, value := range c.config {
		config[key] = value
	}
	return config
}

func (c *common) options(concurrency int) host.Options {
	return host.Options{Stderr: os.Stderr, MaxConcurrency: concurrency, Excludes: c.excludes, NoXattr: c.noXattr}
}

var errNoCommand = errors.New("no connector was named: put -- EXECUTABLE ARGS at the end")

// generation is a flag: which generation of the protocol the host speaks.
type generation struct{ is10 bool }

func generationFlag(c *common) *generation {
	g := &generation{}
	c.Var(g, "generation", "speak generation `1.0|1.1` of the protocol (by default 1.1)")
	return g
}

func (g *generation) String() string {
	if g.is10 {
		return "1.0"
	}
	return "1.1"
}

func (g *generation) Set(text string) error {
	if text != "1.0" && text != "1.1" {
		return fmt.Errorf("there is no generation %q", text)
	}
	g.is10 = text == "1.0"
	return nil
}

// pairs is a flag that may be repeated, of key=value.
type pairs map[string]string

func (p pairs) String() string { return "" }

func (p pairs) Set(text string) error {
	key, value, found := strings.Cut(text, "=")
	if !found || key == "" {
		return fmt.Errorf("%q is not key=value", text)
	}
	p[key] = value
	return nil
}

// list is a flag that may be repeated.
type list []string

func (l *list) String() string { return "" }

func (l *list) Set(text string) error {
	*l = append(*l, text)
	return nil
}
