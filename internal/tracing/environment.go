package tracing

import (
	"net/url"
	"os"
	"slices"
	"strings"
)

// Variable is one of a process' environment.
type Variable struct{ Name, Value string }

// passed are the variables that a Job gets as the operator has them. Headers are
// not among them, because they hold tokens, and a Job is read by whoever may read
// Jobs in its namespace; nor are certificates, which are files of the operator's
// pod.
var passed = slices.Concat(envEndpoints, envProtocols, []string{
	envDisabled, envExporter, "OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES",
	"OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG",
	"OTEL_EXPORTER_OTLP_INSECURE", "OTEL_EXPORTER_OTLP_TRACES_INSECURE",
	"OTEL_EXPORTER_OTLP_TIMEOUT", "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT",
	"OTEL_EXPORTER_OTLP_COMPRESSION", "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION",
	"OTEL_BSP_SCHEDULE_DELAY", "OTEL_BSP_EXPORT_TIMEOUT", "OTEL_BSP_MAX_QUEUE_SIZE", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE",
	"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "OTEL_SPAN_EVENT_COUNT_LIMIT", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT",
})

// Environment is what the Job of an attempt is told, so that its spans are part of
// the trace: the same for the same attempt. It is nothing where an endpoint holds
// a secret.
func (t *Tracer) Environment(a Attempt) []Variable {
	if t == nil || slices.ContainsFunc(envEndpoints, func(name string) bool { return secret(os.Getenv(name)) }) {
		return nil
	}
	var out []Variable
	for _, name := range passed {
		if value := os.Getenv(name); value != "" {
			out = append(out, Variable{name, value})
		}
	}
	slices.SortFunc(out, func(a, b Variable) int { return strings.Compare(a.Name, b.Name) })
	return append(out, Variable{envParent, t.traceParent(a)})
}

// secret reports whether an endpoint may hold one: a password before the host, or
// anything behind the path.
func secret(endpoint string) bool {
	parsed, err := url.Parse(endpoint)
	return err != nil || parsed.User != nil || parsed.RawQuery != "" || parsed.Fragment != ""
}
