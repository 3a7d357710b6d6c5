// Command grpc-go-host plays plakar for a connector: it starts it, drives it over grpc-go, and prints JSON.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
)

const usage = `usage: grpc-go-host COMMAND [flags] -- EXECUTABLE ARGS...

  ls           read an importer completely, as a backup does
  export DIR   send a local directory to an exporter
  store WHAT   put|get|list|delete|roundtrip on a store
  bench WORK   measure one work: get, put, open, export, import (README.md has all)
  bench-table  measure several connectors side by side (--connector NAME=COMMAND, no EXECUTABLE)

Each command tells its flags with -h.
`

func main() {
	if len(os.Args) < 2 {
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	commands := map[string]func(context.Context, []string) error{
		"ls":          runList,
		"export":      runExport,
		"store":       runStore,
		"bench":       runBench,
		"bench-table": runBenchTable,
	}
	command := commands[os.Args[1]]
	if command == nil {
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	if err := command(context.Background(), os.Args[2:]); err != nil {
		fmt.Fprintf(os.Stderr, "grpc-go-host %s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
}

func printJSON(value any) error {
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}
