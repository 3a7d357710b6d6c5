package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"text/tabwriter"

	"kloset-sdk/tests/grpc-go/host"
)

// contender is a connector that is measured.
type contender struct {
	name    string
	command []string
}

// row is what the table says of one connector at one work.
type row struct {
	Work       string  `json:"work"`
	Connector  string  `json:"connector"`
	WallRatio  float64 `json:"wall_ratio"` // how many times as fast as the peer: larger is better
	CPURatio   float64 `json:"cpu_ratio"`  // CPU time of the peer's: smaller is better
	PeakRSSMiB float64 `json:"peak_rss_mib"`
	WakeUps    float64 `json:"wake_ups"` // of the connector's threads
	Pairs      int     `json:"pairs"`
	Seconds    float64 `json:"seconds"`
	CPUSeconds float64 `json:"plugin_cpu_seconds"`
	Bytes      int64   `json:"bytes"`
	Items      int64   `json:"items"`
}

func runBenchTable(ctx context.Context, arguments []string) error {
	c := newFlags("bench-table", "bench", "/")
	var connectors list
	c.Var(&connectors, "connector", "`NAME=COMMAND`, may be repeated, the first is the peer; the role is added as an argument")
	pairs := c.Int("pairs", 5, "how many rounds; in each of them every connector does the work once")
	names := c.String("works", "", "a comma-separated list (by default all)")
	scale := c.Float64("scale", 1, "multiplies the number of objects of every work")
	output := c.String("json", "", "write the rows to this `file`")
	picture := c.String("svg", "", "draw the speeds into this `file`")
	spoken := generationFlag(c)
	ctx, cancel, words, command, err := c.parse(ctx, arguments)
	if err != nil {
		return err
	}
	cancel() // each measurement has a bound of its own
	if len(words) > 0 || len(command) > 0 {
		return errors.New("connectors are named by --connector NAME=COMMAND")
	}
	contenders, err := parseContenders(connectors)
	if err != nil {
		return err
	}
	var added []string // to the role
	if spoken.is10 {
		added = host.Arguments10
	}
	var chosen []work
	for _, w := range works {
		if w.in(spoken) == nil {
			continue
		}
		if *names == "" || slices.Contains(strings.Split(*names, ","), w.name) {
			chosen = append(chosen, w)
		}
	}
	if *names != "" && len(chosen) != len(strings.Split(*names, ",")) {
		return fmt.Errorf("not every work of %q is known", *names)
	}
	shared := []string{"-proto", c.proto, "-location", c.location, "-timeout", c.timeout.String(), "-scale", fmt.Sprint(*scale), "-generation", spoken.String()}
	for key, value := range c.config {
		shared = append(shared, "-config", key+"="+value)
	}

	ctx = context.WithoutCancel(ctx)
	var rows []row
	for _, w := range chosen {
		results := make([][]measured, len(contenders))
		for pair := range *pairs {
			for i, contender := range contenders {
				fmt.Fprintf(os.Stderr, "\r\x1b[K%s, round %d of %d: %s", w.name, pair+1, *pairs, contender.name)
				one, err := measureApart(ctx, w, contender, added, shared)
				if err != nil {
					fmt.Fprintln(os.Stderr)
					return fmt.Errorf("%s, %s: %w", w.name, contender.name, err)
				}
				results[i] = append(results[i], one)
			}
		}
		for i, contender := range contenders {
			rows = append(rows, summarize(w.name, contender.name, results[0], results[i]))
		}
	}
	fmt.Fprint(os.Stderr, "\r\x1b[K")
	printTable(rows)
	if *picture != "" {
		if err := os.WriteFile(*picture, []byte(chart(rows)), 0o644); err != nil {
			return err
		}
	}
	if *output == "" {
		return nil
	}
	text, err := json.MarshalIndent(rows, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(*output, append(text, '\n'), 0o644)
}

func parseContenders(connectors list) ([]contender, error) {
	var contenders []contender
	for _, text := range connectors {
		name, command, found := strings.Cut(text, "=")
		if !found || name == "" || command == "" {
			return nil, fmt.Errorf("%q is not NAME=COMMAND", text)
		}
		contenders = append(contenders, contender{name: name, command: strings.Fields(command)})
	}
	if len(contenders) == 0 {
		return nil, errors.New("no --connector was given")
	}
	return contenders, nil
}

// measureApart measures in a process of its own, so that no measurement finds another's heap.
func measureApart(ctx context.Context, w work, c contender, added, shared []string) (measured, error) {
	self, err := os.Executable()
	if err != nil {
		return measured{}, err
	}
	arguments := slices.Concat([]string{"bench", w.name}, shared, []string{"--"}, c.command, []string{w.role}, added)
	command := exec.CommandContext(ctx, self, arguments...)
	var complaints bytes.Buffer
	command.Stderr = &complaints
	output, err := command.Output()
	if err != nil {
		return measured{}, fmt.Errorf("%w\n%s", err, complaints.String())
	}
	var one measured
	return one, json.Unmarshal(output, &one)
}

func summarize(workName, name string, peer, own []measured) row {
	r := row{Work: workName, Connector: name, Pairs: len(own), Bytes: own[0].Bytes, Items: own[0].Items}
	each := func(value func(peer, own measured) float64) float64 {
		values := make([]float64, len(own))
		for i := range own {
			values[i] = value(peer[i], own[i])
		}
		return median(values)
	}
	r.WallRatio = each(func(peer, own measured) float64 { return peer.Seconds / own.Seconds })
	r.CPURatio = each(func(peer, own measured) float64 { return own.PluginCPUSeconds / peer.PluginCPUSeconds })
	r.Seconds = each(func(_, own measured) float64 { return own.Seconds })
	r.CPUSeconds = each(func(_, own measured) float64 { return own.PluginCPUSeconds })
	r.PeakRSSMiB = each(func(_, own measured) float64 { return float64(own.PeakRSSKiB) / 1024 })
	r.WakeUps = each(func(_, own measured) float64 { return float64(own.WakeUps) })
	return r
}

func median(values []float64) float64 {
	slices.Sort(values)
	middle := len(values) / 2
	if len(values)%2 == 1 {
		return values[middle]
	}
	return (values[middle-1] + values[middle]) / 2
}

func printTable(rows []row) {
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "work\tconnector\tspeed, times the peer\tCPU, of the peer\tseconds\tMB/s\titems/s\tpeak MiB\twake-ups an item\t")
	for _, r := range rows {
		speed := "-"
		if r.Bytes > 0 {
			speed = fmt.Sprintf("%.0f", float64(r.Bytes)/1e6/r.Seconds)
		}
		fmt.Fprintf(table, "%s\t%s\t%.2f\t%.2f\t%.2f\t%s\t%.0f\t%.1f\t%.2f\t\n",
			r.Work, r.Connector, r.WallRatio, r.CPURatio, r.Seconds, speed, float64(r.Items)/r.Seconds, r.PeakRSSMiB, r.WakeUps/float64(r.Items))
	}
	table.Flush()
}
