package main

import (
	"strconv"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// settings are what the configuration asks for.
type settings struct {
	files, size, records, macs, milliseconds int64
}

// latency is how long a file takes.
func (s settings) latency() time.Duration {
	return time.Duration(s.milliseconds) * time.Millisecond
}

func parse(config map[string]string) (settings, error) {
	var s settings
	if config["location"] == "" {
		return s, status.Error(codes.InvalidArgument, "the configuration has no location")
	}
	for key, value := range map[string]*int64{"files": &s.files, "size": &s.size, "records": &s.records, "macs": &s.macs, "latency_ms": &s.milliseconds} {
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
