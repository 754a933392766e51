// Package tracing exports traces of rollouts as OpenTelemetry's standard
// environment variables say. Without any of them there are none: no exporter, no
// goroutine, and a nil Tracer, which may be used like any other.
package tracing

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/schemagate/schemagate/internal/version"
)

// Variables that this package reads itself. The SDK reads others.
const (
	envDisabled = "OTEL_SDK_DISABLED"
	envExporter = "OTEL_TRACES_EXPORTER"
	envParent   = "TRACEPARENT"
)

// Of these pairs, the first is for traces alone and counts more.
var (
	envEndpoints = []string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"}
	envProtocols = []string{"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"}
)

// Tracer makes spans and exports them. A nil Tracer does nothing. It is safe for
// concurrent use.
type Tracer struct {
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
}

// New returns the Tracer that the environment asks for; nil if it asks for none.
// report is told of what could not be exported; it must not be nil.
func New(ctx context.Context, report func(error)) (*Tracer, error) {
	on, err := enabled()
	if err != nil || !on {
		return nil, err
	}
	exporter, err := newExporter(ctx)
	if err != nil {
		return nil, fmt.Errorf("preparing to export traces: %w", withoutURL(err))
	}
	// The environment comes last, so that it may name the service otherwise.
	described, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithAttributes(
		attribute.String("service.name", "schemagate"), attribute.String("service.version", version.Version()),
	), resource.WithFromEnv())
	if err != nil {
		return nil, errors.Join(fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES is no list of name=value: %w", err), exporter.Shutdown(ctx))
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { report(withoutURL(err)) }))
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(exporter), sdktrace.WithResource(described), sdktrace.WithIDGenerator(ids{}),
	)
	return &Tracer{provider: provider, tracer: provider.Tracer("github.com/schemagate/schemagate")}, nil
}

// enabled reports whether the environment asks for traces.
func enabled() (bool, error) {
	if strings.EqualFold(os.Getenv(envDisabled), "true") {
		return false, nil
	}
	switch exporter := os.Getenv(envExporter); exporter {
	case "":
		return first(envEndpoints) != "", nil
	case "otlp":
		return true, nil
	case "none":
		return false, nil
	default:
		return false, fmt.Errorf("%s is %q: use otlp or none", envExporter, exporter)
	}
}

// newExporter does not connect yet.
func newExporter(ctx context.Context) (*otlptrace.Exporter, error) {
	switch protocol := first(envProtocols); protocol {
	case "", "http/protobuf":
		return otlptracehttp.New(ctx)
	case "grpc":
		return otlptracegrpc.New(ctx)
	default:
		return nil, fmt.Errorf("%s is %q: use http/protobuf or grpc", envProtocols[1], protocol)
	}
}

func first(names []string) string {
	for _, name := range names {
		if value := os.Getenv(name); value != "" {
			return value
		}
	}
	return ""
}

// withoutURL drops the address that an error of an HTTP client begins with: it may
// hold a token.
func withoutURL(err error) error {
	if located, ok := errors.AsType[*url.Error](err); ok {
		return located.Err
	}
	return err
}

// Shutdown exports what is left, for as long as the context lasts.
func (t *Tracer) Shutdown(ctx context.Context) error {
	if t == nil {
		return nil
	}
	return withoutURL(t.provider.Shutdown(ctx))
}

// Span is something that took time. A nil Span does nothing.
type Span struct{ span trace.Span }

// Start begins a span at a time, below that of the context.
func (t *Tracer) Start(ctx context.Context, name string, at time.Time, attributes ...slog.Attr) (context.Context, *Span) {
	if t == nil {
		return ctx, nil
	}
	ctx, span := t.tracer.Start(ctx, name, trace.WithTimestamp(at), trace.WithAttributes(convert(attributes)...))
	return ctx, &Span{span}
}

// Rollout begins the span of a whole attempt.
func (t *Tracer) Rollout(a Attempt, at time.Time, attributes ...slog.Attr) *Span {
	if t == nil {
		return nil
	}
	_, span := t.Start(withIDs(context.Background(), fixed{a.trace, a.rollout}), "rollout", at, attributes...)
	return span
}

// Job begins the span of an attempt's Job, below that of the attempt. The process
// in its pod knows it by what Environment told it.
func (t *Tracer) Job(a Attempt, at time.Time, attributes ...slog.Attr) *Span {
	if t == nil {
		return nil
	}
	_, span := t.Start(withIDs(t.parent(context.Background(), a, a.rollout), fixed{span: a.job}), "job", at, attributes...)
	return span
}

// Within begins a span below that of an attempt.
func (t *Tracer) Within(a Attempt, name string, at time.Time, attributes ...slog.Attr) *Span {
	if t == nil {
		return nil
	}
	_, span := t.Start(t.parent(context.Background(), a, a.rollout), name, at, attributes...)
	return span
}

// Event notes that something happened meanwhile.
func (s *Span) Event(name string, attributes ...slog.Attr) {
	if s != nil {
		s.span.AddEvent(name, trace.WithAttributes(convert(attributes)...))
	}
}

// End ends the span. failure is one word that says why it failed, empty if it has
// not.
func (s *Span) End(at time.Time, failure string, attributes ...slog.Attr) {
	if s == nil {
		return
	}
	if failure != "" {
		s.span.SetStatus(codes.Error, failure)
	}
	s.span.SetAttributes(convert(attributes)...)
	s.span.End(trace.WithTimestamp(at))
}

// convert leaves out what is empty.
func convert(attributes []slog.Attr) []attribute.KeyValue {
	var out []attribute.KeyValue
	for _, a := range attributes {
		switch {
		case a.Value.Kind() == slog.KindInt64:
			out = append(out, attribute.Int64(a.Key, a.Value.Int64()))
		case a.Value.String() != "":
			out = append(out, attribute.String(a.Key, a.Value.String()))
		}
	}
	return out
}

// FromEnvironment returns a context whose spans are below the one that TRACEPARENT
// names, if it does.
func FromEnvironment(ctx context.Context) context.Context {
	return propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{"traceparent": os.Getenv(envParent)})
}
