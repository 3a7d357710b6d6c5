package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"kloset-sdk/tests/grpc-go/host"
)

// work is one thing to measure.
type work struct {
	name    string
	role    string                                             // the word that a connector with several roles is started with
	size    int64                                              // bytes of one object
	count   int64                                              // how many objects
	streams int                                                // how many calls at once, where the host decides
	run     func(ctx context.Context, b *bench) (moved, error) // in generation 1.1

	run10     func(ctx context.Context, b *bench) (moved, error) // in generation 1.0
	streams10 int                                                // where not as many as above
}

// in gives what runs the work in a generation, nil where that has none.
func (w work) in(generation *generation) func(ctx context.Context, b *bench) (moved, error) {
	if generation.is10 {
		return w.run10
	}
	return w.run
}

var works = []work{
	{name: "get", role: "store", size: 128 << 20, count: 8, streams: 1, run: benchGet, run10: benchGet10},
	{name: "get4", role: "store", size: 128 << 20, count: 8, streams: 4, run: benchGet, run10: benchGet10},
	{name: "parts", role: "store", size: 128 << 20, count: 20_000, streams: 1, run: benchParts, run10: benchParts10},
	{name: "parts-latency", role: "store", size: 128 << 20, count: 500, streams: 1, run: benchPartsLatency},
	{name: "put", role: "store", size: 128 << 20, count: 8, streams: 1, run: benchPut, run10: benchPut10},
	{name: "open", role: "importer", size: 16 << 20, count: 64, streams: 4, run: benchOpen, run10: benchOpen10},
	{name: "open-small", role: "importer", size: 4 << 10, count: 20_000, streams: 8, run: benchOpen, run10: benchOpen10},
	{name: "open-alone", role: "importer", size: 4 << 10, count: 20_000, streams: 8, run10: benchOpenAlone10},
	{name: "open-latency", role: "importer", size: 4 << 10, count: 500, streams: 1, run: benchOpenLatency},
	{name: "export", role: "exporter", size: 16 << 20, count: 64, streams: 1, run: benchExport, run10: benchExport10, streams10: 4},
	{name: "export-small", role: "exporter", size: 4 << 10, count: 20_000, streams: 1, run: benchExport, run10: benchExport10, streams10: 8},
	{name: "export-latency", role: "exporter", size: 4 << 10, count: 500, streams: 8, run: benchExportLatency},
	{name: "import", role: "importer", size: 0, count: 1_000_000, streams: 1, run: benchImport, run10: benchScan10},
	{name: "start", role: "store", size: 0, count: 20, streams: 1, run: benchStart},
	{name: "list", role: "store", size: 0, count: 100_000, streams: 1, run: benchList, run10: benchList10},
}

// moved is what a work has moved.
type moved struct {
	bytes, items int64
}

// bench is a work under way.
type bench struct {
	work
	command []string
	flags   *common
	rounds  int // list: how often
	real    bool
	latency time.Duration // of the store
	pause   time.Duration // after every record and every chunk that the host takes

	seconds float64
	usage   host.Usage
}

// measured is what a bench prints.
type measured struct {
	Work             string  `json:"work"`
	Seconds          float64 `json:"seconds"`
	Bytes            int64   `json:"bytes"`
	Items            int64   `json:"items"`
	PluginCPUSeconds float64 `json:"plugin_cpu_seconds"`
	PeakRSSKiB       int64   `json:"peak_rss_kib"`
	WakeUps          int64   `json:"wake_ups"`
}

func runBench(ctx context.Context, arguments []string) error {
	b := &bench{flags: newFlags("bench", "bench", "/")}
	size := b.flags.Int64("size", -1, "bytes of one object (by default as the work has it)")
	count := b.flags.Int64("count", -1, "how many objects (by default as the work has it)")
	streams := b.flags.Int("streams", -1, "how many calls at once (by default as the work has it)")
	scale := b.flags.Float64("scale", 1, "multiplies the number of objects")
	b.flags.IntVar(&b.rounds, "rounds", 20, "list: how often to list")
	b.flags.BoolVar(&b.real, "real", false, "a store that keeps things: create it, and put what get reads and list lists, in a process of its own before")
	b.flags.DurationVar(&b.pause, "pause", 0, "a slow host: waits so long after every record and chunk that it takes")
	spoken := generationFlag(b.flags)
	ctx, cancel, words, command, err := b.flags.parse(ctx, arguments)
	if err != nil {
		return err
	}
	defer cancel()
	if len(command) == 0 {
		return errNoCommand
	}
	if len(words) != 1 {
		return errors.New("one work has to be named")
	}
	if b.work, err = findWork(words[0]); err != nil {
		return err
	}
	run, prepare := b.in(spoken), b.prepare
	if run == nil {
		return fmt.Errorf("generation %s has no work %q", spoken, b.name)
	}
	if spoken.is10 {
		prepare = b.prepare10
		b.streams = cmp.Or(b.streams10, b.streams)
	}
	b.command = command
	if *size >= 0 {
		b.size = *size
	}
	if *count >= 0 {
		b.count = *count
	}
	if *streams >= 1 {
		b.streams = *streams
	}
	b.count = max(1, int64(float64(b.count)**scale))
	if b.real && b.role == "store" {
		if err := prepare(ctx); err != nil {
			return fmt.Errorf("prepare: %w", err)
		}
	}
	total, err := run(ctx, b)
	if err != nil {
		return err
	}
	return printJSON(measured{
		Work:             b.name,
		Seconds:          b.seconds,
		Bytes:            total.bytes,
		Items:            total.items,
		PluginCPUSeconds: b.usage.CPU.Seconds(),
		PeakRSSKiB:       b.usage.PeakRSSKiB,
		WakeUps:          b.usage.WakeUps,
	})
}

func findWork(name string) (work, error) {
	i := slices.IndexFunc(works, func(w work) bool { return w.name == name })
	if i < 0 {
		return work{}, fmt.Errorf("there is no work %q", name)
	}
	return works[i], nil
}

// timed takes the time of what happens between Init and Close.
func (b *bench) timed(do func() error) error {
	start := time.Now()
	err := do()
	b.seconds = time.Since(start).Seconds()
	return err
}

// take is what a slow host does with what it takes.
func (b *bench) take() {
	if b.pause > 0 {
		time.Sleep(b.pause)
	}
}

// inParallel calls do once for each of the objects, in as many workers as there are streams.
func (b *bench) inParallel(do func(i int64) error) error {
	numbers := make(chan int64, b.count)
	for i := range b.count {
		numbers <- i
	}
	close(numbers)
	failed := make(chan error, b.streams)
	for range b.streams {
		go func() {
			for i := range numbers {
				if err := do(i); err != nil {
					failed <- err
					return
				}
			}
			failed <- nil
		}()
	}
	var errs []error
	for range b.streams {
		errs = append(errs, <-failed)
	}
	return errors.Join(errs...)
}
