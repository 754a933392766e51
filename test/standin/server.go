package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// stopTimeout bounds how long requests may take to end.
const stopTimeout = 5 * time.Second

// serve answers requests until ctx ends.
func serve(ctx context.Context, listener net.Listener, release string, db *sql.DB) error {
	server := &http.Server{Handler: handler(release, db), ReadHeaderTimeout: stopTimeout}
	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		stopped <- server.Shutdown(ctx)
	})
	err := server.Serve(listener)
	if stop() { // nobody has asked it to end
		return err
	}
	return <-stopped
}

func handler(release string, db *sql.DB) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) {
		// Whoever asks has gone if this fails.
		_, _ = fmt.Fprintln(w, "ok", release)
	})
	mux.HandleFunc("GET /chats", func(w http.ResponseWriter, r *http.Request) {
		rows, err := count(r.Context(), db)
		if err != nil {
			http.Error(w, "the database does not answer", http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(rows) // as above
	})
	return mux
}

// rows are the numbers of rows of two tables that every release has.
type rows struct {
	Chat int64 `json:"chat"`
	User int64 `json:"user"`
}

func count(ctx context.Context, db *sql.DB) (r rows, err error) {
	err = errors.Join(
		db.QueryRowContext(ctx, "SELECT count(*) FROM chat").Scan(&r.Chat),
		db.QueryRowContext(ctx, `SELECT count(*) FROM "user"`).Scan(&r.User),
	)
	return r, err
}
