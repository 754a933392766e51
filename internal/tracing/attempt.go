package tracing

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"strconv"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Attempt is one run of a migration Job, as a trace. Its ids follow from the
// DatabaseSchema and the number of the attempt, so that all operator processes
// that work on it, one after the other, and the Job have one trace.
type Attempt struct {
	trace        trace.TraceID
	rollout, job trace.SpanID
}

// NewAttempt returns the trace of an attempt of the DatabaseSchema with a UID.
func NewAttempt(uid string, number int64) Attempt {
	var out Attempt
	sum := sha256.Sum256([]byte(uid + "/" + strconv.FormatInt(number, 10)))
	copy(out.trace[:], sum[:16])
	copy(out.rollout[:], sum[16:24])
	copy(out.job[:], sum[24:32])
	return out
}

// parent returns a context whose next span is below one of the attempt's.
func (t *Tracer) parent(ctx context.Context, a Attempt, span trace.SpanID) context.Context {
	return trace.ContextWithRemoteSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: a.trace, SpanID: span, TraceFlags: t.flags(a), Remote: true,
	}))
}

// flags says whether the attempt is sampled, which the sampler decides by the id
// of its trace. The span that asks it is never ended, and so never exported.
func (t *Tracer) flags(a Attempt) trace.TraceFlags {
	_, span := t.tracer.Start(withIDs(context.Background(), fixed{a.trace, a.rollout}), "rollout")
	return span.SpanContext().TraceFlags()
}

// traceParent is what a process is told of the span that its own are below, as
// W3C's Trace Context has it.
func (t *Tracer) traceParent(a Attempt) string {
	return "00-" + a.trace.String() + "-" + a.job.String() + "-" + t.flags(a).String()
}

// fixed are the ids of the next span. Zero ones are chosen at random.
type fixed struct {
	trace trace.TraceID
	span  trace.SpanID
}

type idsKey struct{}

func withIDs(ctx context.Context, next fixed) context.Context {
	return context.WithValue(ctx, idsKey{}, next)
}

// ids is an sdktrace.IDGenerator that takes ids from the context.
type ids struct{}

var _ sdktrace.IDGenerator = ids{}

// NewIDs implements sdktrace.IDGenerator.
func (g ids) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	next, _ := ctx.Value(idsKey{}).(fixed)
	if !next.trace.IsValid() {
		_, _ = rand.Read(next.trace[:]) // it never fails
	}
	return next.trace, g.NewSpanID(ctx, next.trace)
}

// NewSpanID implements sdktrace.IDGenerator.
func (ids) NewSpanID(ctx context.Context, _ trace.TraceID) trace.SpanID {
	next, _ := ctx.Value(idsKey{}).(fixed)
	if !next.span.IsValid() {
		_, _ = rand.Read(next.span[:])
	}
	return next.span
}
