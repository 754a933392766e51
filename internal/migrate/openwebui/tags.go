package openwebui

import (
	"context"
	"slices"
	"strings"

	"github.com/schemagate/schemagate/internal/migrate/pyjson"
	"github.com/schemagate/schemagate/internal/migrate/step"
)

// pinnedTag is the tag that becomes a property of the chats that have it.
const pinnedTag = "pinned"

// tagID returns the id of the tag with a name.
func tagID(name string) string { return lower(strings.ReplaceAll(name, " ", "_")) }

// rowNumber is what orders rows as they are read from start to end, which is how
// the application comes upon them.
var rowNumber = map[step.Dialect]string{step.Postgres: "ctid", step.SQLite: "rowid"}

const (
	reasonTagName     = "name is missing"
	reasonChatTagName = "tag_name is missing"
)

// listTagIDs is the first part of revision 24: it lists the tags in the order of
// their rows, with their old and new ids, in a table that the revision's file
// makes and goes on with. Lower case is Python's, which databases do not know.
func listTagIDs(ctx context.Context, run *step.Run) error {
	var position, refused int64
	err := run.Read(ctx, `SELECT id, name FROM tag ORDER BY `+rowNumber[run.Dialect], func(batch []step.Row) error {
		rows := make([][]any, 0, len(batch))
		for _, row := range batch {
			position++
			name, ok := row.Text(1)
			if !ok {
				refused++
			}
			rows = append(rows, []any{position, text(row, 0), tagID(name)})
		}
		return run.Insert(ctx, "schemagate_tag_ids", []string{"position", "old_id", "new_id"}, rows)
	})
	if err == nil && refused > 0 {
		err = &step.DataError{Table: "tag", Rows: refused, Reason: reasonTagName}
	}
	return err
}

// chatTags are the tags of one chat.
type chatTags struct {
	chat   string
	pinned bool
	ids    []string
}

func (c *chatTags) add(name string) {
	switch id := tagID(name); {
	case id == pinnedTag:
		c.pinned = true
	case !slices.Contains(c.ids, id):
		c.ids = append(c.ids, id)
	}
}

// row returns what a chat gets: its id, pinned, meta.
func (c *chatTags) row() []any {
	meta := &pyjson.Object{}
	if len(c.ids) > 0 {
		tags := make([]pyjson.Value, len(c.ids))
		for i, id := range c.ids {
			tags[i] = id
		}
		meta.Set("tags", tags)
	}
	return []any{c.chat, c.pinned, pyjson.Encode(meta)}
}

// moveChatTags is the other part of revision 24: the tags of a chat get from
// chatidtag to the chat. The application lists them in no order at all; here they
// keep that of their rows.
func moveChatTags(ctx context.Context, run *step.Run) error {
	total, err := count(ctx, run, "chatidtag")
	if err != nil {
		return err
	}
	update := func(rows [][]any) error {
		return run.Update(ctx, "chat", []string{"id"}, []string{"pinned", "meta"}, rows)
	}
	var done, refused int64
	var current *chatTags
	query := `SELECT chat_id, tag_name FROM chatidtag WHERE chat_id IS NOT NULL ORDER BY chat_id, ` + rowNumber[run.Dialect]
	err = run.Read(ctx, query, func(batch []step.Row) error {
		var rows [][]any
		for _, row := range batch {
			chat, _ := row.Text(0)
			name, ok := row.Text(1)
			if !ok {
				refused++
			}
			if current != nil && current.chat != chat {
				rows = append(rows, current.row())
				current = nil
			}
			if current == nil {
				current = &chatTags{chat: chat}
			}
			current.add(name)
		}
		done += int64(len(batch))
		run.Progress(done, total)
		return update(rows)
	})
	if err == nil && current != nil {
		err = update([][]any{current.row()})
	}
	if err == nil && refused > 0 {
		err = &step.DataError{Table: "chatidtag", Rows: refused, Reason: reasonChatTagName}
	}
	return err
}
