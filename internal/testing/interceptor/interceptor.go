// Package interceptor stands between a client and an API server, and stops the
// client at the moment when a chosen request has taken effect, or is about to.
// So a process can be killed or frozen at exact points of what it does, without
// a line of its own code for that.
package interceptor

import (
	"encoding/pem"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"

	"k8s.io/client-go/rest"
)

// Moment is when a trap closes.
type Moment string

// Moments.
const (
	// Before: the request has not reached the API server, and does not.
	Before Moment = "before"

	// After: the request has taken effect, and the client has not heard of it.
	After Moment = "after"
)

// Request is what traps look at.
type Request struct {
	// Method and Path of the request, and its Body, which is empty for reads.
	Method, Path, ContentType string
	Body                      []byte
}

// Trap closes once.
type Trap struct {
	// Matches chooses the request.
	Matches func(Request) bool

	// Moment is when Do is called. The client waits meanwhile.
	Moment Moment
	Do     func()
}

// Interceptor is one such place. Its methods may be called from several
// goroutines.
type Interceptor struct {
	// URL is where the client finds it, and CA the certificate, in PEM, by which
	// it knows it: clients send their token to nobody whom they do not know.
	URL string
	CA  []byte

	mu     sync.Mutex
	trap   *Trap
	sprung chan struct{}
}

// Start runs an interceptor before the API server of a configuration until the
// test ends. It passes on who the client says it is, and has no rights itself.
func Start(tb testing.TB, config *rest.Config) *Interceptor {
	tb.Helper()
	target, err := url.Parse(config.Host)
	if err != nil {
		tb.Fatal(err)
	}
	anonymous := rest.AnonymousClientConfig(config)
	transport, err := rest.TransportFor(anonymous)
	if err != nil {
		tb.Fatal(err)
	}
	i := &Interceptor{}
	proxy := &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport:     transport,
		FlushInterval: -1, // watches
		// A client that was killed ends in the middle.
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) {
			// As if the API server were away, which it may be.
			w.WriteHeader(http.StatusBadGateway)
		},
	}
	server := httptest.NewTLSServer(i.handler(proxy))
	tb.Cleanup(func() {
		server.CloseClientConnections() // Watches never end by themselves.
		server.Close()
	})
	i.URL, i.CA = server.URL, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	return i
}

// Set sets the only trap, and returns a channel that is closed when it has
// closed, after its Do.
func (i *Interceptor) Set(trap Trap) <-chan struct{} {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.trap, i.sprung = &trap, make(chan struct{})
	return i.sprung
}

// Clear takes the trap away.
func (i *Interceptor) Clear() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.trap = nil
}

// take returns the trap if it is for a request, and takes it away.
func (i *Interceptor) take(request Request) (*Trap, chan struct{}) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.trap == nil || !i.trap.Matches(request) {
		return nil, nil
	}
	trap := i.trap
	i.trap = nil
	return trap, i.sprung
}
