// Package wire holds, in one package a .proto file, the generated code of the connector protocol: generation 1.1, and in
// the packages whose names end in 10, generation 1.0.
package wire

//go:generate go run kloset-sdk/tests/grpc-go/wire/generate ../../../sdk-core/proto .
