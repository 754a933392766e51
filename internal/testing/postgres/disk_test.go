package postgres

import (
	"errors"
	"testing"

	"github.com/lib/pq"
)

func TestFullDisk(t *testing.T) {
	t.Parallel()
	s := Start(t)
	s.SmallDisk(t)
	db := Open(t, s.NewDatabase(t))
	if _, err := db.ExecContext(t.Context(), "CREATE TABLE t AS SELECT 1 AS a"); err != nil {
		t.Fatal(err)
	}
	s.FillDisk(t)
	_, err := db.ExecContext(t.Context(), "INSERT INTO t SELECT generate_series(1, 100000)")
	if pqErr := (*pq.Error)(nil); !errors.As(err, &pqErr) || pqErr.Code != "53100" {
		t.Errorf("writing to a full disk ends with %v, want SQLSTATE 53100", err)
	}
	s.FreeDisk(t)
	if _, err := db.ExecContext(t.Context(), "INSERT INTO t SELECT generate_series(1, 100000)"); err != nil {
		t.Error(err)
	}
}
