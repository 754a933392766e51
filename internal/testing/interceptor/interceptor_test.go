package interceptor_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/schemagate/schemagate/internal/testing/interceptor"
)

// TestTraps: what is chosen is stopped once, before or after it has taken effect,
// and everything else passes.
func TestTraps(t *testing.T) {
	t.Parallel()
	var reached atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		reached.Add(1)
		w.Header().Set("X-Seen", r.Header.Get("Authorization"))
		_, _ = io.Copy(w, bytes.NewReader(body))
	}))
	defer server.Close()
	i := interceptor.Start(t, &rest.Config{Host: server.URL, BearerToken: "ours"})
	transport, err := rest.TransportFor(&rest.Config{TLSClientConfig: rest.TLSClientConfig{CAData: i.CA}})
	if err != nil {
		t.Fatal(err)
	}
	caller := &http.Client{Transport: transport}
	ask := func(method, path, body string) (int, string, string) {
		request, err := http.NewRequestWithContext(t.Context(), method, i.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "theirs")
		response, err := caller.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = response.Body.Close() }()
		answer, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, string(answer), response.Header.Get("X-Seen")
	}
	for moment, want := range map[interceptor.Moment]struct {
		code  int
		count int32
	}{interceptor.Before: {http.StatusGatewayTimeout, 1}, interceptor.After: {http.StatusOK, 2}} {
		reached.Store(0)
		at := int32(-1)
		sprung := i.Set(interceptor.Trap{
			Matches: func(r interceptor.Request) bool { return r.Method == http.MethodPost && string(r.Body) == "b" },
			Moment:  moment, Do: func() { at = reached.Load() },
		})
		if code, answer, who := ask(http.MethodPost, "/x", "a"); code != http.StatusOK || answer != "a" || who != "theirs" {
			t.Errorf("%s: another request: %d %q as %q", moment, code, answer, who)
		}
		if code, _, _ := ask(http.MethodPost, "/x", "b"); code != want.code || at != want.count {
			t.Errorf("%s: it answers %d, and closes after %d requests, want %d and %d", moment, code, at, want.code, want.count)
		}
		<-sprung
		if code, _, _ := ask(http.MethodPost, "/x", "b"); code != http.StatusOK {
			t.Errorf("%s: it closes twice", moment)
		}
	}
	i.Set(interceptor.Trap{Matches: func(interceptor.Request) bool { return true }, Do: func() { t.Error("it closes though it was taken away") }})
	i.Clear()
	ask(http.MethodPost, "/x", "b")
}
