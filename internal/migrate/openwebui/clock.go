package openwebui

import (
	"context"
	"fmt"

	"github.com/schemagate/schemagate/internal/migrate/step"
)

// now returns the database's clock in seconds. On PostgreSQL it stands still
// during a transaction.
func now(ctx context.Context, run *step.Run) (seconds int64, err error) {
	query := `SELECT floor(extract(epoch FROM now()))::bigint`
	if run.Dialect == step.SQLite {
		query = `SELECT CAST(strftime('%s', 'now') AS INTEGER)`
	}
	if err := run.Tx.QueryRowContext(ctx, query).Scan(&seconds); err != nil {
		return 0, fmt.Errorf("reading the clock: %w", err)
	}
	return seconds, nil
}
