package interceptor

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
)

func (i *Interceptor) handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			next.ServeHTTP(w, r)
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		trap, sprung := i.take(Request{Method: r.Method, Path: r.URL.Path, ContentType: r.Header.Get("Content-Type"), Body: body})
		if trap == nil {
			next.ServeHTTP(w, r)
			return
		}
		defer close(sprung)
		if trap.Moment == Before {
			trap.Do()
			// The client is frozen or gone. To one that thaws the request has failed.
			w.WriteHeader(http.StatusGatewayTimeout)
			return
		}
		answer := httptest.NewRecorder()
		next.ServeHTTP(answer, r)
		trap.Do()
		maps.Copy(w.Header(), answer.Header())
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes())
	})
}
