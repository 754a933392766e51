// Package openwebui holds the Go steps and checks of the bundle open-webui:
// what its revisions do that SQL cannot do exactly, in the order of the
// revisions. The measure is what the application's own migration leaves.
package openwebui

import (
	"context"
	"fmt"

	"github.com/schemagate/schemagate/internal/migrate/pyjson"
	"github.com/schemagate/schemagate/internal/migrate/step"
)

// Steps returns the steps that the bundle's files name and the checks that its
// manifest names.
func Steps() step.Set {
	return step.Set{
		Steps: map[string]step.Func{
			"modelfiles_to_models":   modelfiles.apply,
			"documents_to_knowledge": documents.apply,
			"chat_text_to_json":      chatTexts.apply,
			"tag_ids":                listTagIDs,
			"chat_tags":              moveChatTags,
			"file_paths":             filePaths.apply,
			"group_members":          groupMembers.apply,
			"user_text_to_json":      userTexts.apply,
			"user_oauth_sub":         oauthSubs.apply,
			"knowledge_files":        knowledgeFiles.apply,
			"chat_messages":          copyMessages,
			"access_grants":          makeGrants,
			"config_to_rows":         settingsToRows,
			"chat_current_message":   currentMessages.apply,
			"repair_user_oauth":      oauthRepair.apply,
			"chat_timers":            chatTimers.apply,
		},
		Checks: map[string]step.Check{
			"modelfile_json":        modelfiles.check,
			"document_content_json": documents.check,
			"chat_json":             checkChatTexts,
			"file_meta_json":        filePaths.check,
			"group_user_ids":        groupMembers.check,
			"user_settings_json":    checkUserTexts,
			"knowledge_file_ids":    knowledgeFiles.check,
			"chat_document":         checkChatDocuments,
			"access_control":        checkAccessControl,
			"config_document":       checkSettings,
			"chat_current_message":  currentMessages.check,
		},
	}
}

// conversion makes rows of one table from those of another.
type conversion struct {
	// from is the table to read, query what to read of it.
	from, query string
	// into is the table to write, columns those that convert returns.
	into    string
	columns []string
	// convert returns a new row, and false if that cannot be made.
	convert func(row step.Row, dialect step.Dialect) (converted []any, ok bool)
	// reason says in fixed words what is wrong with a row that cannot be
	// converted.
	reason string
}

// check counts the rows that cannot be converted.
func (c conversion) check(ctx context.Context, run *step.Run) (int64, error) {
	var refused int64
	err := run.Read(ctx, c.query, func(batch []step.Row) error {
		for _, row := range batch {
			if _, ok := c.convert(row, run.Dialect); !ok {
				refused++
			}
		}
		return nil
	})
	return refused, err
}

// apply converts all rows. The check has passed by then, unless rows were
// written in between; those are counted like there.
func (c conversion) apply(ctx context.Context, run *step.Run) error {
	total, err := count(ctx, run, c.from)
	if err != nil {
		return err
	}
	var done, refused int64
	err = run.Read(ctx, c.query, func(batch []step.Row) error {
		rows := make([][]any, 0, len(batch))
		for _, row := range batch {
			converted, ok := c.convert(row, run.Dialect)
			if !ok {
				refused++
				continue
			}
			rows = append(rows, converted)
		}
		done += int64(len(batch))
		run.Progress(done, total)
		if refused > 0 {
			return nil // everything will be rolled back
		}
		return run.Insert(ctx, c.into, c.columns, rows)
	})
	if err == nil && refused > 0 {
		err = &step.DataError{Table: c.from, Rows: refused, Reason: c.reason}
	}
	return err
}

// count returns the number of rows of a table whose name needs no quotes.
func count(ctx context.Context, run *step.Run, table string) (n int64, err error) {
	if err := run.Tx.QueryRowContext(ctx, "SELECT count(*) FROM "+table).Scan(&n); err != nil {
		return 0, fmt.Errorf("counting the rows of table %s: %w", table, err)
	}
	return n, nil
}

// text returns a text column as a string, or nil for NULL.
func text(row step.Row, i int) any {
	if s, ok := row.Text(i); ok {
		return s
	}
	return nil
}

// decodeObject reads a JSON object.
func decodeObject(text string) (*pyjson.Object, bool) {
	v, err := pyjson.Decode(text)
	if err != nil {
		return nil, false
	}
	o, ok := v.(*pyjson.Object)
	return o, ok
}

// member returns a member of an object, or nil if there is none.
func member(o *pyjson.Object, name string) pyjson.Value {
	v, _ := o.Get(name)
	return v
}
