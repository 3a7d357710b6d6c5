package main

import (
	"strconv"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// settings are what the configuration asks for.
type settings struct {
	files, size, records, macs, latency int64 // latency: milliseconds
}

func parse(config map[string]string) (settings, error) {
	var s settings
	if config["location"] == "" {
		return s, status.Error(codes.InvalidArgument, "the configuration has no location")
	}
	for key, value := range map[string]*int64{"files": &s.files, "size": &s.size, "records": &s.records, "macs": &s.macs, "latency_ms": &s.latency} {
		text, there := config[key]
		if !there {
			continue
		}
		number, err := strconv.ParseInt(text, 10, 64)
		if err != nil || number < 0 {
			return s, status.Errorf(codes.InvalidArgument, "option %s: %q is not a number", key, text)
		}
		*value = number
	}
	return s, nil
}
