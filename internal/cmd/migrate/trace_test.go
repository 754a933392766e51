package migrate

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/schemagate/schemagate/internal/cmd/exit"
	"github.com/schemagate/schemagate/internal/migrate/result"
	"github.com/schemagate/schemagate/internal/testing/collector"
	"github.com/schemagate/schemagate/internal/testing/postgres"
)

// TestTraces: a run and its revisions are told of, and neither the URL nor a row.
func TestTraces(t *testing.T) {
	for name, databaseURL := range databases(t) {
		t.Run(name, func(t *testing.T) {
			c := collector.New(t)
			t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", c.URL)
			t.Setenv("TRACEPARENT", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
			if _, err := call(t, "--database-url", databaseURL, "--to", "2"); err != nil {
				t.Fatal(err)
			}
			_, err := call(t, "--database-url", databaseURL, "--to", "3")
			if exit.Code(err) != result.ExitPermanent {
				t.Fatal(err)
			}
			var got []string
			for _, span := range c.Spans() {
				text := span.Name
				if span.Name == "revision" {
					text = span.Attribute("schemagate.revision.id")
				}
				if span.GetStatus().GetMessage() != "" {
					text += " " + span.GetStatus().GetMessage()
				}
				got = append(got, text)
				if string(span.GetTraceId()) != "\x0a\xf7\x65\x19\x16\xcd\x43\xdd\x84\x48\xeb\x21\x1c\x80\x31\x9c" || span.Service != "schemagate" {
					t.Errorf("%s is of trace %x and service %q", text, span.GetTraceId(), span.Service)
				}
				if span.GetEndTimeUnixNano() < span.GetStartTimeUnixNano() {
					t.Errorf("%s ends before it begins", text)
				}
			}
			slices.Sort(got)
			reason := string(result.ReasonSQLError)
			if want := []string{"aaaaaaaaaaaa", "bbbbbbbbbbbb", "cccccccccccc " + reason, "migrate", "migrate " + reason}; !slices.Equal(got, want) {
				t.Errorf("the spans are %q, want %q", got, want)
			}
			for _, secret := range []string{rowCanary, databaseURL, filepath.Base(databaseURL)} {
				if c.Contains(secret) {
					t.Errorf("%q has been told", secret)
				}
			}
		})
	}
}

// TestTracesAreNotWaitedFor: a collector that is not there, and settings that are
// none, change neither the result nor what is printed.
func TestTracesAreNotWaitedFor(t *testing.T) {
	databaseURL := postgres.Shared(t).NewDatabase(t)
	for _, variables := range []map[string]string{
		{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, {"OTEL_TRACES_EXPORTER": "zipkin"},
	} {
		for name, value := range variables {
			t.Setenv(name, value)
		}
		out, err := call(t, "--database-url", databaseURL, "--to", "2", "-o", "json")
		if err != nil {
			t.Fatal(err)
		}
		if res := lastResult(t, out); res.Outcome != result.Done {
			t.Errorf("with %v the result is %+v", variables, res)
		}
	}
}
