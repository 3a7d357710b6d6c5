// Command peer is the connector that others are measured against: made-up content, served over grpc-go with its
// defaults by loops of the plain shape that a Go SDK has. See ../README.md for the configuration that it takes.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"google.golang.org/grpc"

	"kloset-sdk/tests/grpc-go/wire/exporter"
	"kloset-sdk/tests/grpc-go/wire/importer"
	"kloset-sdk/tests/grpc-go/wire/store"
)

func main() {
	server := grpc.NewServer()
	role := ""
	if len(os.Args) == 2 {
		role = os.Args[1]
	}
	switch role {
	case "importer":
		importer.RegisterImporterServer(server, &importerServer{})
	case "exporter":
		exporter.RegisterExporterServer(server, &exporterServer{})
	case "store":
		store.RegisterStoreServer(server, &storeServer{})
	default:
		fmt.Fprintln(os.Stderr, "usage: peer importer|exporter|store")
		os.Exit(2)
	}
	// The host may have closed the pipes when the last answers go out.
	signal.Ignore(syscall.SIGPIPE)
	// Serve returns when the one connection has ended.
	server.Serve(listenOnce(os.Stdin, os.Stdout))
}
