package openwebui

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/schemagate/schemagate/internal/migrate/pyjson"
	"github.com/schemagate/schemagate/internal/migrate/step"
)

// chatTexts is revision 23: chat.chat becomes JSON.
var chatTexts = jsonText{table: "chat", columns: []string{"chat"}, required: true}

// userTexts is revision 42 on SQLite: user.info and user.settings become JSON.
// On PostgreSQL the application refuses what is none, so that nothing is left to
// do for a step.
var userTexts = jsonText{table: "user", columns: []string{"info", "settings"}}

// jsonText prepares columns of text that become JSON: a text that the
// application cannot read becomes JSON null, as it does there. The others stay
// as they are spelled, which the application would change, and which makes no
// difference to whoever reads them.
//
// The database itself finds the few that are not JSON to it, so the others, all
// chats of a database, do not pass through here. Among those few are some that
// Python reads all the same, with NaN or an infinity in them. SQLite keeps them;
// PostgreSQL does not take them, and to make them null would lose a chat, so
// they are refused.
type jsonText struct {
	table   string
	columns []string
	// required says that NULL is refused.
	required bool
}

// isJSON is a function of a text that says whether the database takes it for
// JSON. PostgreSQL has none before release 16. Too complex is what is nested so
// deeply that the application fails on it, too.
var isJSON = map[step.Dialect]string{step.Postgres: "pg_temp.schemagate_is_json", step.SQLite: "json_valid"}

const (
	createIsJSON = `CREATE FUNCTION pg_temp.schemagate_is_json(document text) RETURNS boolean LANGUAGE plpgsql STRICT AS $$
BEGIN
	PERFORM document::json;
	RETURN true;
EXCEPTION WHEN data_exception OR statement_too_complex THEN
	RETURN false;
END
$$`
	dropIsJSON = `DROP FUNCTION pg_temp.schemagate_is_json(text)`
)

// apply replaces the texts that are not JSON.
func (j jsonText) apply(ctx context.Context, run *step.Run) error {
	if run.Dialect == step.Postgres {
		if _, err := run.Tx.ExecContext(ctx, createIsJSON); err != nil {
			return fmt.Errorf("creating a function: %w", err)
		}
	}
	for _, column := range j.columns {
		if err := j.replace(ctx, run, column); err != nil {
			return err
		}
	}
	if run.Dialect == step.Postgres {
		if _, err := run.Tx.ExecContext(ctx, dropIsJSON); err != nil {
			return fmt.Errorf("dropping a function: %w", err)
		}
	}
	return nil
}

func (j jsonText) replace(ctx context.Context, run *step.Run, column string) error {
	query := fmt.Sprintf(`SELECT id, %[1]s FROM %[2]q WHERE NOT %[3]s(%[1]s)`, column, j.table, isJSON[run.Dialect])
	if j.required {
		query += fmt.Sprintf(` OR %s IS NULL`, column)
	}
	var refused int64
	err := run.Read(ctx, query, func(batch []step.Row) error {
		var rows [][]any
		for _, row := range batch {
			source, ok := row.Text(1)
			readable := isPython(source)
			switch {
			case !ok, readable && run.Dialect == step.Postgres:
				refused++
			case !readable:
				rows = append(rows, []any{text(row, 0), "null"})
			}
		}
		return run.Update(ctx, j.table, []string{"id"}, []string{column}, rows)
	})
	if err == nil && refused > 0 {
		err = &step.DataError{
			Table: j.table, Rows: refused, Reason: column + " is missing, or holds NaN or an infinity, which PostgreSQL does not accept as JSON",
		}
	}
	return err
}

// isPython reports whether Python reads a text as JSON.
func isPython(source string) bool {
	_, err := pyjson.Decode(source)
	return err == nil
}

// checkChatTexts counts the chats that PostgreSQL does not accept though Python
// does. It is spared those without the words that make the difference.
func checkChatTexts(ctx context.Context, run *step.Run) (refused int64, err error) {
	if run.Dialect != step.Postgres {
		return 0, nil
	}
	err = run.Read(ctx, `SELECT chat FROM chat WHERE chat LIKE '%NaN%' OR chat LIKE '%Infinity%'`, func(batch []step.Row) error {
		for _, row := range batch {
			source, _ := row.Text(0)
			if isPython(source) && !json.Valid([]byte(source)) {
				refused++
			}
		}
		return nil
	})
	return refused, err
}

// checkUserTexts counts the users whose settings or info PostgreSQL does not
// accept.
func checkUserTexts(ctx context.Context, run *step.Run) (refused int64, err error) {
	if run.Dialect != step.Postgres {
		return 0, nil
	}
	// Revision 13 adds info, and leaves it empty.
	query := `SELECT settings, NULL FROM "user" WHERE settings IS NOT NULL`
	declared, err := columnType(ctx, run, "user", "info")
	if err != nil {
		return 0, err
	}
	if declared != "" {
		query = `SELECT settings, info FROM "user" WHERE settings IS NOT NULL OR info IS NOT NULL`
	}
	err = run.Read(ctx, query, func(batch []step.Row) error {
		for _, row := range batch {
			if !isJSONOrNull(row, 0) || !isJSONOrNull(row, 1) {
				refused++
			}
		}
		return nil
	})
	return refused, err
}

// isJSONOrNull reports whether PostgreSQL takes a column of text for JSON, whose
// grammar is the standard's.
func isJSONOrNull(row step.Row, i int) bool {
	source, ok := row.Text(i)
	return !ok || json.Valid([]byte(source))
}
