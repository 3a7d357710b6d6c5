// Command peer is the connector that others are measured against: made-up content, served over grpc-go with its
// defaults by loops of the plain shape that a Go SDK has. See ../README.md for the configuration that it takes.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"google.golang.org/grpc"

	"kloset-sdk/tests/grpc-go/wire/exporter"
	"kloset-sdk/tests/grpc-go/wire/exporter10"
	"kloset-sdk/tests/grpc-go/wire/importer"
	"kloset-sdk/tests/grpc-go/wire/importer10"
	"kloset-sdk/tests/grpc-go/wire/store"
	"kloset-sdk/tests/grpc-go/wire/store10"
)

func main() {
	server := grpc.NewServer()
	switch strings.Join(os.Args[1:], " ") {
	case "importer":
		importer.RegisterImporterServer(server, &importerServer{})
	case "exporter":
		exporter.RegisterExporterServer(server, &exporterServer{})
	case "store":
		store.RegisterStoreServer(server, &storeServer{})
	case "importer --protocol 1.0":
		importer10.RegisterImporterServer(server, &importerServer10{})
	case "exporter --protocol 1.0":
		exporter10.RegisterExporterServer(server, &exporterServer10{})
	case "store --protocol 1.0":
		store10.RegisterStoreServer(server, &storeServer10{})
	default:
		fmt.Fprintln(os.Stderr, "usage: peer importer|exporter|store [--protocol 1.0]")
		os.Exit(2)
	}
	// The host may have closed the pipes when the last answers go out.
	signal.Ignore(syscall.SIGPIPE)
	// Serve returns when the one connection has ended.
	server.Serve(listenOnce(os.Stdin, os.Stdout))
}
