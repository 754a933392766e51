package migrate

import (
	"strings"
	"testing"

	"github.com/schemagate/schemagate/internal/migrate/result"
)

// TestNoTemporaryDirectory: SQLite calls it an I/O error, which sends people to
// look for a broken disk.
func TestNoTemporaryDirectory(t *testing.T) {
	t.Parallel()
	const code = 6410 // SQLITE_IOERR_GETTEMPPATH
	if outcome, reason := classOfSQLite(code); outcome != result.Transient || reason != result.ReasonServerBusy {
		t.Errorf("it is %s/%s", outcome, reason)
	}
	if text := adviceForSQLite(code); !strings.Contains(text, "SQLITE_TMPDIR") {
		t.Errorf("the advice is %q", text)
	}
	if text := adviceForSQLite(liteIOError); text != "" {
		t.Errorf("any I/O error has the advice %q", text)
	}
	e := &Error{Outcome: result.Transient, Reason: result.ReasonServerBusy}
	e.Failure.SQLiteCode = code
	if retriable(e) {
		t.Error("it is tried again, though nothing changes meanwhile")
	}
}
