package integration_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	"k8s.io/client-go/rest"

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/naming"
)

// lag keeps what the API server tells of migration pods from an operator's
// cache, for as long as it is told to.
type lag struct {
	// behind is closed when the cache falls behind, and over when it catches up.
	behind, over chan struct{}
}

func (l *lag) RoundTripper(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(request *http.Request) (*http.Response, error) {
		response, err := next.RoundTrip(request)
		query := request.URL.Query()
		if err == nil && query.Get("watch") != "" && strings.Contains(query.Get("labelSelector"), naming.LabelJobSchema) &&
			strings.HasSuffix(request.URL.Path, "/pods") {
			response.Body = &laggingBody{ReadCloser: response.Body, lag: l}
		}
		return response, err
	})
}

type laggingBody struct {
	io.ReadCloser
	lag *lag
}

func (b *laggingBody) Read(into []byte) (int, error) {
	n, err := b.ReadCloser.Read(into)
	select {
	case <-b.lag.behind:
		<-b.lag.over
	default:
	}
	return n, err
}

// TestJobEndsBeforeItsPod has the operator hear of the end of a Job before it
// hears of the end of the Job's pod: they come by two watches. What the
// migration did counts nevertheless, at once and with the first attempt.
func TestJobEndsBeforeItsPod(t *testing.T) {
	t.Parallel()
	namespace := server.NewNamespace(t)
	bindOperator(t, namespace, namespace)
	awaitAuthorized(t, namespace, server.As(t, operator(namespace)))
	l := &lag{behind: make(chan struct{}), over: make(chan struct{})}
	config := rest.CopyConfig(server.Config)
	config.Wrap(l.RoundTripper)
	startManager(t, config, namespace, operatorOptions(namespace), logr.Discard())
	t.Cleanup(func() { close(l.over) })

	schema := targeting(namespace, schemaName)
	create(t, schema)
	job := startedJob(t, schema, "1")
	pod := runPod(t, job)
	close(l.behind)
	endPod(t, pod, born)
	endJob(t, job, pod)
	status := await(t, schema, func(s v1alpha1.DatabaseSchemaStatus) bool { return s.Attempt.State != v1alpha1.AttemptPending })
	if status.Attempt.State != v1alpha1.AttemptSucceeded || status.Attempt.Number != 1 || status.AppliedRevision.Version != 73 {
		t.Errorf("the attempt is %+v, with revision %d", status.Attempt, status.AppliedRevision.Version)
	}
}
