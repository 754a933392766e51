package openwebui

import (
	"database/sql"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/schemagate/schemagate/internal/migrate/pyjson"
	"github.com/schemagate/schemagate/internal/migrate/step"
)

const tagTables = `
	CREATE TABLE tag (id varchar(255) NOT NULL, name varchar(255), user_id varchar(255));
	CREATE TABLE chat (id varchar(255) PRIMARY KEY, pinned boolean, meta text DEFAULT '{}' NOT NULL);
	CREATE TABLE chatidtag (id varchar(255), chat_id varchar(255), tag_name varchar(255));
	CREATE TABLE schemagate_tag_ids (position bigint NOT NULL, old_id text NOT NULL, new_id text NOT NULL);`

func TestTagIDs(t *testing.T) {
	t.Parallel()
	onEach(t, sameTables(tagTables), func(t *testing.T, db *sql.DB, dialect step.Dialect) {
		t.Helper()
		exec(t, db, `INSERT INTO tag (id, name) VALUES ('z', 'Work  Stuff'), ('a', 'ÄB'), ('m', ''), ('b', 'Tab	X')`)
		if _, _, err := apply(t, db, dialect, "tag_ids"); err != nil {
			t.Fatal(err)
		}
		want := map[string]any{"1 z": "work__stuff", "2 a": "äb", "3 m": "", "4 b": "tab\tx"}
		if diff := cmp.Diff(want, byID(t, db, `SELECT position || ' ' || old_id, new_id FROM schemagate_tag_ids`)); diff != "" {
			t.Errorf("ids (-want +got):\n%s", diff)
		}
		exec(t, db, `INSERT INTO tag (id, name) VALUES ('n', NULL)`)
		_, _, err := apply(t, db, dialect, "tag_ids")
		wantDataError(t, err, "tag", 1)
	})
}

func TestChatTags(t *testing.T) {
	t.Parallel()
	onEach(t, sameTables(tagTables), func(t *testing.T, db *sql.DB, dialect step.Dialect) {
		t.Helper()
		exec(t, db, `INSERT INTO chat (id) VALUES ('two'), ('one'), ('pinned'), ('both'), ('none'), ('')`)
		exec(t, db, `INSERT INTO chatidtag (chat_id, tag_name) VALUES
			('two', 'Work Stuff'), ('one', 'É'), ('pinned', 'PINNED'), ('two', 'a'), ('both', 'x'), ('one', 'é'),
			('gone', 'x'), (NULL, 'x'), ('both', 'pinned'), ('two', 'work stuff'), ('two', '"')`)
		if _, total, err := apply(t, db, dialect, "chat_tags"); err != nil || total != 11 {
			t.Fatalf("%d rows: %v", total, err)
		}
		want := map[string]any{
			"two": `0 {"tags": ["work_stuff", "a", "\""]}`, "one": `0 {"tags": ["\u00e9"]}`, "pinned": "1 {}", "both": `1 {"tags": ["x"]}`, "none": "- {}", "": "- {}",
		}
		got := byID(t, db, `SELECT id, CASE WHEN pinned THEN '1' WHEN NOT pinned THEN '0' ELSE '-' END || ' ' || meta FROM chat`)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("chats (-want +got):\n%s", diff)
		}
		exec(t, db, `INSERT INTO chatidtag (chat_id, tag_name) VALUES ('two', NULL), ('one', NULL)`)
		_, _, err := apply(t, db, dialect, "chat_tags")
		wantDataError(t, err, "chatidtag", 2)
	})
}

// TestManyChatTags has chats whose tags are in more than one batch.
func TestManyChatTags(t *testing.T) {
	t.Parallel()
	const tags = 500
	onEach(t, sameTables(tagTables), func(t *testing.T, db *sql.DB, dialect step.Dialect) {
		t.Helper()
		exec(t, db, `INSERT INTO chat (id) VALUES ('0'), ('1'), ('2'), ('3'), ('4'), ('5'), ('6')`)
		exec(t, db, fmt.Sprintf(`WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 7 * %d - 1)
			INSERT INTO chatidtag (chat_id, tag_name) SELECT CAST(i %% 7 AS text), 'T' || i FROM n`, tags))
		if _, _, err := apply(t, db, dialect, "chat_tags"); err != nil {
			t.Fatal(err)
		}
		chats := byID(t, db, `SELECT id, meta FROM chat`)
		if len(chats) != 7 {
			t.Fatalf("%d chats, want 7", len(chats))
		}
		for id, meta := range chats {
			o, ok := decodeObject(fmt.Sprint(meta))
			if !ok {
				t.Fatalf("chat %s has %v", id, meta)
			}
			if list, _ := member(o, "tags").([]pyjson.Value); len(list) != tags {
				t.Errorf("chat %s has %d tags, want %d", id, len(list), tags)
			}
		}
	})
}
