package controllers

import (
	"log/slog"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/plan"
	"github.com/schemagate/schemagate/internal/tracing"
)

// trace tells of a look at a schema that was about an attempt, and at the end of
// the attempt of the whole and of its Job. recorded says that the status was
// written, which ends an attempt once, whichever process does it.
func (r *DatabaseSchemaReconciler) trace(schema *v1alpha1.DatabaseSchema, next plan.Decision, o plan.Observed, recorded bool, err error) {
	before, after := schema.Status.Attempt, next.Status.Attempt
	pending := before.State == v1alpha1.AttemptPending && before.Number == after.Number
	if r.Tracer == nil || !pending && after.State != v1alpha1.AttemptPending {
		return
	}
	attempt, now := tracing.NewAttempt(string(schema.UID), after.Number), r.Clock.Now()
	of := []slog.Attr{
		slog.String("k8s.namespace.name", schema.Namespace), slog.String("schemagate.databaseschema", schema.Name),
		slog.Int64("schemagate.attempt", after.Number),
	}
	failure := ""
	if err != nil {
		failure = "error" // what it says may be about anything
	}
	r.Tracer.Within(attempt, "reconcile", o.Now, append(of, slog.String("schemagate.action", string(next.Action)),
		slog.String("schemagate.reason", next.Reason))...).End(now, failure)
	if !pending || after.State == v1alpha1.AttemptPending || !recorded {
		return
	}
	job := slog.String("k8s.job.name", after.Job)
	if o.Job != nil && o.Job.StartTime != nil && o.Job.FinishTime != nil {
		r.Tracer.Job(attempt, o.Job.StartTime.Time, append(of, job)...).End(o.Job.FinishTime.Time, after.Reason)
	}
	began := now
	if after.StartTime != nil {
		began = after.StartTime.Time
	}
	r.Tracer.Rollout(attempt, began, append(of, job, slog.Int("schemagate.revision.from", int(ptr.Deref(after.From, 0))),
		slog.Int("schemagate.revision.to", int(after.To)), slog.String("schemagate.result", string(after.State)),
	)...).End(later(now, began), after.Reason)
}

// traced is what the Job of the recorded attempt is told for its own spans.
func (r *DatabaseSchemaReconciler) traced(schema *v1alpha1.DatabaseSchema) []corev1.EnvVar {
	var out []corev1.EnvVar
	for _, variable := range r.Tracer.Environment(tracing.NewAttempt(string(schema.UID), schema.Status.Attempt.Number)) {
		out = append(out, corev1.EnvVar{Name: variable.Name, Value: variable.Value})
	}
	return out
}

// later keeps a span from ending before it began, should clocks differ.
func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}
