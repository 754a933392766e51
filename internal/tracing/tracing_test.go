package tracing

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

// environment sets these variables, and none other of OpenTelemetry's.
func environment(t *testing.T, variables map[string]string) {
	t.Helper()
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "OTEL_") || name == envParent {
			t.Setenv(name, "")
		}
	}
	for name, value := range variables {
		t.Setenv(name, value)
	}
}

func newTracer(t *testing.T) (*Tracer, error) {
	t.Helper()
	tracer, err := New(t.Context(), func(error) {})
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
		cancel() // nobody receives anything
		_ = tracer.Shutdown(ctx)
	})
	return tracer, err
}

func TestOffByDefault(t *testing.T) {
	tests := map[string]struct {
		variables map[string]string
		on        bool
		says      string
	}{
		"nothing":           {},
		"an endpoint":       {variables: map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, on: true},
		"one for traces":    {variables: map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:1/v1/traces"}, on: true},
		"an exporter":       {variables: map[string]string{"OTEL_TRACES_EXPORTER": "otlp"}, on: true},
		"by gRPC":           {variables: map[string]string{"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, on: true},
		"none":              {variables: map[string]string{"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}},
		"disabled":          {variables: map[string]string{"OTEL_SDK_DISABLED": "TRUE", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}},
		"only a name":       {variables: map[string]string{"OTEL_SERVICE_NAME": "gate"}},
		"another exporter":  {variables: map[string]string{"OTEL_TRACES_EXPORTER": "zipkin"}, says: `OTEL_TRACES_EXPORTER is "zipkin": use otlp or none`},
		"another protocol":  {variables: map[string]string{"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"}, says: `OTEL_EXPORTER_OTLP_PROTOCOL is "http/json"`},
		"broken attributes": {variables: map[string]string{"OTEL_TRACES_EXPORTER": "otlp", "OTEL_RESOURCE_ATTRIBUTES": "a"}, says: "OTEL_RESOURCE_ATTRIBUTES"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			environment(t, tc.variables)
			before := runtime.NumGoroutine()
			tracer, err := newTracer(t)
			if (tracer != nil) != tc.on {
				t.Errorf("the tracer is %v, want one: %t", tracer, tc.on)
			}
			if (err != nil) != (tc.says != "") || err != nil && !strings.Contains(err.Error(), tc.says) {
				t.Errorf("New says %v, want %q", err, tc.says)
			}
			if after := runtime.NumGoroutine(); !tc.on && tc.says == "" && after != before {
				t.Errorf("there were %d goroutines, and are %d", before, after)
			}
		})
	}
}

// TestNil: whoever has no tracer uses it all the same.
func TestNil(t *testing.T) {
	t.Parallel()
	var tracer *Tracer
	a := NewAttempt("uid", 1)
	ctx, span := tracer.Start(t.Context(), "a", time.Now())
	span.Event("b")
	for _, span := range []*Span{span, tracer.Job(a, time.Now()), tracer.Rollout(a, time.Now()), tracer.Within(a, "c", time.Now())} {
		span.End(time.Now(), "failed")
	}
	if ctx != t.Context() || tracer.Environment(a) != nil || tracer.Shutdown(ctx) != nil {
		t.Error("no tracer does something")
	}
}

// recorded returns a tracer whose spans are kept.
func recorded(sampler sdktrace.Sampler) (*Tracer, *tracetest.SpanRecorder) {
	recorder := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder), sdktrace.WithIDGenerator(ids{}), sdktrace.WithSampler(sampler))
	return &Tracer{provider: provider, tracer: provider.Tracer("test")}, recorder
}

// TestOneTrace: whatever process tells of an attempt, it is one trace, with the
// Job's process below its Job.
func TestOneTrace(t *testing.T) {
	a, at := NewAttempt("uid", 7), time.Unix(1767225600, 0)
	one, first := recorded(sdktrace.AlwaysSample())
	one.Within(a, "reconcile", at).End(at, "")
	other, second := recorded(sdktrace.AlwaysSample())
	other.Job(a, at, slog.String("empty", ""), slog.Int("n", 0)).End(at, "SQLError")
	other.Rollout(a, at).End(at, "")
	environment(t, map[string]string{"TRACEPARENT": one.traceParent(a)})
	process, third := recorded(sdktrace.ParentBased(sdktrace.NeverSample()))
	ctx, run := process.Start(FromEnvironment(t.Context()), "migrate", at)
	_, revision := process.Start(ctx, "revision", at)
	revision.End(at, "")
	run.End(at, "")

	spans := map[string]sdktrace.ReadOnlySpan{}
	for _, span := range slices.Concat(first.Ended(), second.Ended(), third.Ended()) {
		spans[span.Name()] = span
		if span.SpanContext().TraceID() != a.trace {
			t.Errorf("%s is of trace %s, want %s", span.Name(), span.SpanContext().TraceID(), a.trace)
		}
	}
	for below, above := range map[string]string{"reconcile": "rollout", "job": "rollout", "migrate": "job", "revision": "migrate"} {
		if spans[below] == nil || spans[above] == nil {
			t.Fatalf("there is no %s or no %s: %v", below, above, spans)
		}
		if spans[below].Parent().SpanID() != spans[above].SpanContext().SpanID() {
			t.Errorf("%s is not below %s", below, above)
		}
	}
	if spans["rollout"].Parent().IsValid() {
		t.Error("the rollout is below something")
	}
	if got := spans["job"].Status().Description; got != "SQLError" || len(spans["job"].Attributes()) != 1 {
		t.Errorf("the Job failed for %q with attributes %v", got, spans["job"].Attributes())
	}
	if other := NewAttempt("uid", 8); other.trace == a.trace || other.job == a.job {
		t.Error("two attempts are one trace")
	}
}

// TestSampling: whether a trace is sampled is said to the Job, and is the same for
// all of its spans.
func TestSampling(t *testing.T) {
	t.Parallel()
	sampled := 0
	for number := range int64(200) {
		a := NewAttempt("uid", number)
		tracer, recorder := recorded(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(0.5)))
		tracer.Within(a, "reconcile", time.Now()).End(time.Now(), "")
		tracer.Rollout(a, time.Now()).End(time.Now(), "")
		ended := len(recorder.Ended())
		if ended != 0 && ended != 2 || strings.HasSuffix(tracer.traceParent(a), "-01") != (ended == 2) {
			t.Fatalf("attempt %d: %d spans, and the Job is told %s", number, ended, tracer.traceParent(a))
		}
		sampled += ended / 2
	}
	if sampled < 60 || sampled > 140 {
		t.Errorf("%d of 200 attempts are sampled, want about half", sampled)
	}
}

// TestEnvironment: the Job gets what is no secret, the same each time.
func TestEnvironment(t *testing.T) {
	a := NewAttempt("uid", 1)
	tracer, _ := recorded(sdktrace.AlwaysSample())
	environment(t, map[string]string{
		"OTEL_SERVICE_NAME": "gate", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318",
		"OTEL_EXPORTER_OTLP_HEADERS": "authorization=canary", "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "authorization=canary",
		"OTEL_EXPORTER_OTLP_CERTIFICATE": "/canary.pem", "OTEL_EXPORTER_OTLP_CLIENT_KEY": "/canary.pem",
	})
	want := []Variable{
		{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318"}, {"OTEL_SERVICE_NAME", "gate"}, {"TRACEPARENT", tracer.traceParent(a)},
	}
	for range 3 {
		if diff := cmp.Diff(want, tracer.Environment(a)); diff != "" {
			t.Fatalf("the Job is told (-want +got):\n%s", diff)
		}
	}
	for _, endpoint := range []string{"http://user:canary@collector", "http://collector/v1?key=canary", "http://collector#canary", "http://a b"} {
		t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
		if got := tracer.Environment(a); got != nil {
			t.Errorf("with the endpoint %s the Job is told %v", endpoint, got)
		}
	}
}

func TestWithoutURL(t *testing.T) {
	t.Parallel()
	err := errors.Join(&url.Error{Op: "Post", URL: "http://collector?key=canary", Err: errors.New("connection refused")})
	if got := withoutURL(err).Error(); got != "connection refused" {
		t.Errorf("the error is %q", got)
	}
}

// TestIDs: what is not given is chosen, each time another.
func TestIDs(t *testing.T) {
	t.Parallel()
	one, first := ids{}.NewIDs(t.Context())
	other, second := ids{}.NewIDs(withIDs(t.Context(), fixed{span: trace.SpanID{1}}))
	if one == other || !one.IsValid() || first == second || second != (trace.SpanID{1}) {
		t.Errorf("ids %s/%s and %s/%s", one, first, other, second)
	}
}
