package migrate

import (
	"context"
	"log/slog"
	"time"

	"github.com/schemagate/schemagate/internal/migrate"
	"github.com/schemagate/schemagate/internal/migrate/result"
	"github.com/schemagate/schemagate/internal/tracing"
)

// flushTimeout bounds how long a run that is over waits for what receives traces:
// its pod is waited for.
const flushTimeout = 2 * time.Second

// tracedReporter makes spans of what it reports: one of the run, and one of each
// revision below it. They hold what a result may hold.
type tracedReporter struct {
	reporter
	ctx    context.Context // that of the run, which the spans belong to
	tracer *tracing.Tracer
	run    *tracing.Span
	// open are the revisions that were begun and are not committed: one, or all of
	// a database that is born in one transaction.
	open map[int]openRevision
}

type openRevision struct {
	span  *tracing.Span
	began time.Time
}

// trace has a run told of to whoever the environment names, beside the reporter.
func trace(ctx context.Context, tracer *tracing.Tracer, to reporter, f *flags) reporter {
	if tracer == nil || f.dryRun {
		return to
	}
	ctx, run := tracer.Start(tracing.FromEnvironment(ctx), "migrate", time.Now(), slog.String("schemagate.bundle", f.bundle))
	return &tracedReporter{reporter: to, ctx: ctx, tracer: tracer, run: run, open: map[int]openRevision{}}
}

func (r *tracedReporter) event(e migrate.Event) {
	r.reporter.event(e)
	switch e.Kind {
	case migrate.EventStarted:
		now := time.Now()
		_, span := r.tracer.Start(r.ctx, "revision", now, slog.Int("schemagate.revision", e.Revision),
			slog.String("schemagate.revision.id", e.ID), slog.String("schemagate.direction", string(e.Direction)))
		r.open[e.Revision] = openRevision{span, now}
	case migrate.EventApplied:
		revision := r.open[e.Revision]
		revision.span.End(revision.began.Add(e.Duration), "")
		delete(r.open, e.Revision)
	case migrate.EventWaiting:
		reason := ""
		if e.Err != nil {
			reason = string(e.Err.Reason)
		}
		r.rollBack(reason)
		r.run.Event("waiting", slog.String("schemagate.reason", reason))
	case migrate.EventPlanned:
		r.run.Event("planned", slog.Int64("schemagate.revisions", e.Total))
	case migrate.EventAdopted:
		r.run.Event("adopted", slog.Int("schemagate.revision", e.Revision), slog.String("schemagate.revision.id", e.ID))
	case migrate.EventProgress:
	}
}

// rollBack ends the spans of what was not committed.
func (r *tracedReporter) rollBack(reason string) {
	for _, revision := range r.open {
		revision.span.End(time.Now(), reason)
	}
	clear(r.open)
}

// end comes after the result is written, so that nothing waits for traces that
// does not have to.
func (r *tracedReporter) end(res result.Result) error {
	r.rollBack(string(res.Reason))
	r.run.End(time.Now(), string(res.Reason), slog.Int("schemagate.revision.from", res.From), slog.Int("schemagate.revision.to", res.To),
		slog.Int("schemagate.applied", res.Applied), slog.String("schemagate.birth", res.Birth))
	err := r.reporter.end(res)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.ctx), flushTimeout)
	defer cancel()
	// Whether somebody heard of it does not change what was done.
	_ = r.tracer.Shutdown(ctx)
	return err
}
