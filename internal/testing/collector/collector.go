// Package collector is a receiver of traces for tests: it takes them by HTTP as
// OpenTelemetry's collector does, and keeps them.
package collector

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// Collector is a receiver. It is safe for concurrent use.
type Collector struct {
	// URL is its address, for OTEL_EXPORTER_OTLP_ENDPOINT.
	URL string

	mu    sync.Mutex
	spans []Span
	raw   bytes.Buffer
}

// Span is one that was received.
type Span struct {
	*tracepb.Span

	// Service is the attribute service.name of its resource.
	Service string
}

// New starts a receiver, which ends with the test.
func New(tb testing.TB) *Collector {
	tb.Helper()
	c := &Collector{}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/traces", func(w http.ResponseWriter, r *http.Request) {
		if err := c.receive(r); err != nil {
			tb.Errorf("what was sent to the collector: %v", err)
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/x-protobuf")
	})
	server := httptest.NewServer(mux)
	tb.Cleanup(server.Close)
	c.URL = server.URL
	return c
}

func (c *Collector) receive(r *http.Request) error {
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		unzipped, err := gzip.NewReader(r.Body)
		if err != nil {
			return err
		}
		body = unzipped
	}
	content, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	var request collectorpb.ExportTraceServiceRequest
	if err := proto.Unmarshal(content, &request); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.raw.Write(content)
	for _, resource := range request.GetResourceSpans() {
		service := ""
		for _, attribute := range resource.GetResource().GetAttributes() {
			if attribute.GetKey() == "service.name" {
				service = attribute.GetValue().GetStringValue()
			}
		}
		for _, scope := range resource.GetScopeSpans() {
			for _, span := range scope.GetSpans() {
				c.spans = append(c.spans, Span{span, service})
			}
		}
	}
	return nil
}

// Spans returns what was received so far.
func (c *Collector) Spans() []Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.spans)
}

// Contains reports whether a text is anywhere in what was received: in a name, an
// attribute, an event or the description of a process.
func (c *Collector) Contains(text string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return bytes.Contains(c.raw.Bytes(), []byte(text))
}

// Attribute returns the value of an attribute of a span as text; "" if it has none.
func (s Span) Attribute(key string) string {
	for _, attribute := range s.GetAttributes() {
		if attribute.GetKey() == key {
			return attribute.GetValue().GetStringValue()
		}
	}
	return ""
}

// Number returns the value of an attribute of a span; 0 if it has none.
func (s Span) Number(key string) int {
	for _, attribute := range s.GetAttributes() {
		if attribute.GetKey() == key {
			return int(attribute.GetValue().GetIntValue())
		}
	}
	return 0
}
