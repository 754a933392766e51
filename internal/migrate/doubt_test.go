package migrate

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"

	"github.com/schemagate/schemagate/internal/migrate/result"
	"github.com/schemagate/schemagate/internal/migrate/step"
)

// doubtfulEngine loses the reply to the first COMMIT, and then lets nobody read
// the database.
type doubtfulEngine struct {
	engine
	commit error // what COMMIT ends with, after it has taken effect
	read   error // what reading ends with then; nil: it is read
	lost   bool
}

type doubtfulTx struct {
	transaction
	engine *doubtfulEngine
}

func (e *doubtfulEngine) begin(ctx context.Context) (transaction, error) {
	tx, err := e.engine.begin(ctx)
	return &doubtfulTx{tx, e}, err
}

func (e *doubtfulEngine) snapshot(ctx context.Context, fn func(context.Context, step.Tx) error) error {
	if e.lost && e.read != nil {
		return e.read
	}
	return e.engine.snapshot(ctx, fn)
}

func (t *doubtfulTx) commit(ctx context.Context, bookkeeping []string) error {
	if err := t.transaction.commit(ctx, bookkeeping); err != nil || t.engine.lost {
		return err
	}
	t.engine.lost = true
	return commitFailed(t.engine.commit)
}

// TestCommitInDoubt: a run that cannot find out whether its last transaction was
// committed says so, and does not claim the revision before it.
func TestCommitInDoubt(t *testing.T) {
	t.Parallel()
	b, files := bundleOf(t, chain(3)...)
	plain := errors.New("session is read-only") // lib/pq's, of no type
	denied := &pq.Error{Severity: "ERROR", Code: stateInsufficientRights}
	tests := map[string]struct {
		from         string
		commit, read error
		doubt        bool
	}{
		"then a standby":             {from: "1", commit: io.ErrUnexpectedEOF, read: &connectError{plain}, doubt: true},
		"then no privilege":          {from: "1", commit: io.ErrUnexpectedEOF, read: denied, doubt: true},
		"then something else":        {from: "1", commit: io.EOF, read: plain, doubt: true},
		"installation":               {from: Empty, commit: io.EOF, read: denied, doubt: true},
		"server shut down":           {from: "1", commit: &pq.Error{Severity: "FATAL", Code: "57P01"}, read: denied, doubt: true},
		"server shut down, Deutsch":  {from: "1", commit: &pq.Error{Severity: "SCHWERWIEGEND", Code: "57P01"}, read: denied, doubt: true},
		"pooler lost its server":     {from: "1", commit: &pq.Error{Severity: "FATAL", Code: "08P01"}, read: denied, doubt: true},
		"an error of lib/pq":         {from: "1", commit: plain, read: denied, doubt: true},
		"read again, and it goes on": {from: "1", commit: io.EOF},
		"something plain, read":      {from: "1", commit: plain},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPostgres(t)
			if tt.from != Empty {
				p.migrate(t, b, files, tt.from)
			}
			o := p.options(t, b, files, "3")
			o.RetryTimeout = 100 * time.Millisecond
			r, err := New(o)
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := r.Close(); err != nil {
					t.Error(err)
				}
			}()
			if err := r.open(t.Context(), true); err != nil {
				t.Fatal(err)
			}
			r.engine = &doubtfulEngine{engine: r.engine, commit: tt.commit, read: tt.read}
			res, err := r.Run(t.Context())
			got := outcome{Result: res, err: err}
			if !tt.doubt {
				if got.err != nil || got.To != 3 {
					t.Errorf("the run ended at %d: %v", got.To, got.err)
				}
				return
			}
			got.wantReason(t, result.Transient, result.ReasonUnreachable)
			if got.Birth == "" {
				t.Error("without a birth the result counts as one that has changed nothing")
			}
		})
	}
}

// TestRefusedCommit: what the server has refused is not in doubt.
func TestRefusedCommit(t *testing.T) {
	t.Parallel()
	for code, want := range map[pqerror.Code]bool{
		"23503": true, "40001": true, "57014": true, "25P02": true, "57P01": false, "08006": false, stateIdleInTransaction: false,
	} {
		if got := definite(&pq.Error{Severity: "ERROR", Code: code}); got != want {
			t.Errorf("definite(%s) = %t, want %t", code, got, want)
		}
	}
}
