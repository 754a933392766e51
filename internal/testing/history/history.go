// Package history fills databases with what people leave in them: users, long
// chats, tags, groups of files. It is for tests and benchmarks that need much of
// it, and makes the same rows for the same size every time.
package history

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/schemagate/schemagate/internal/migrate/step"
)

// Revision is the one whose tables Load fills.
const Revision = 22

// Size is how much there is. A message weighs about half a kilobyte.
type Size struct {
	Chats, Messages int
}

// users is the number of users; chats are divided among them.
const users = 50

// start is the time of the first row, in seconds since 1970.
const start = 1_714_000_000

// Load fills a database of birth peewee that is at Revision and empty.
func Load(ctx context.Context, db *sql.DB, dialect step.Dialect, size Size) (err error) {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, tx.Rollback())
		}
	}()
	g := &generator{random: rand.New(rand.NewPCG(1, 2)), size: size} //nolint:gosec // the same rows every time
	for _, t := range []struct {
		name    string
		columns []string
		rows    int
		row     func(i int) []any
	}{
		{"user", []string{
			"id", "name", "email", "role", "profile_image_url", "api_key", "created_at", "updated_at", "last_active_at", "settings", "info", "oauth_sub",
		}, users, g.user},
		{"chat", []string{"id", "user_id", "title", "chat", "share_id", "archived", "created_at", "updated_at"}, size.Chats, g.chat},
		// One chat in forty has a copy for sharing, under the name of nobody.
		{"chat", []string{"id", "user_id", "title", "chat", "share_id", "archived", "created_at", "updated_at"}, size.Chats / 40, g.sharedCopy},
		{"tag", []string{"id", "name", "user_id", "data"}, users * len(tagNames), g.tag},
		{"chatidtag", []string{"id", "tag_name", "chat_id", "user_id", "timestamp"}, size.Chats, g.chatTag},
		{"file", []string{"id", "user_id", "filename", "meta", "created_at", "hash", "data", "updated_at"}, size.Chats / 20, g.file},
		{"knowledge", []string{"id", "user_id", "name", "description", "data", "meta", "created_at", "updated_at"}, size.Chats / 200, g.knowledge},
		{"model", []string{"id", "user_id", "base_model_id", "name", "meta", "params", "created_at", "updated_at"}, users, g.model},
		{"tool", []string{"id", "user_id", "name", "content", "specs", "meta", "created_at", "updated_at", "valves"}, users, g.tool},
		{"prompt", []string{"command", "user_id", "title", "content", "timestamp"}, users, g.prompt},
		{"memory", []string{"id", "user_id", "content", "updated_at", "created_at"}, users * 5, g.memory},
	} {
		if err := insert(ctx, tx, dialect, t.name, t.columns, t.rows, t.row); err != nil {
			return fmt.Errorf("filling %s: %w", t.name, err)
		}
	}
	return tx.Commit()
}

// insert writes rows one by one into a COPY, or a prepared INSERT.
func insert(ctx context.Context, tx *sql.Tx, dialect step.Dialect, table string, columns []string, rows int, row func(int) []any) (err error) {
	target := fmt.Sprintf(`%q ("`, table) + strings.Join(columns, `", "`) + `")`
	query := "COPY " + target + " FROM STDIN" //nolint:gosec // the names are those above
	if dialect == step.SQLite {
		query = fmt.Sprintf("INSERT INTO %s VALUES (?%s)", target, strings.Repeat(", ?", len(columns)-1))
	}
	statement, err := tx.PrepareContext(ctx, query)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, statement.Close()) }()
	for i := range rows {
		if _, err := statement.ExecContext(ctx, row(i)...); err != nil {
			return err
		}
	}
	if dialect == step.Postgres {
		_, err = statement.ExecContext(ctx)
	}
	return err
}

// generator makes rows. They follow from the size and the order in which they
// are asked for.
type generator struct {
	random *rand.Rand
	size   Size
}

var tagNames = []string{"Work", "home", "Übersetzung", "pinned", "code review", "recipes"}

// id looks like a UUID and is one row's for ever.
func id(kind, i int) string { return fmt.Sprintf("%08x-0000-4000-8000-%012x", kind, i) }

func userID(i int) string { return id(1, i%users) }
func chatID(i int) string { return id(2, i) }

// words are text of about a number of bytes, quotes and other scripts included.
func (g *generator) words(size int) string {
	var b strings.Builder
	for b.Len() < size {
		b.WriteString(vocabulary[g.random.IntN(len(vocabulary))])
		b.WriteByte(' ')
	}
	return b.String()
}

var vocabulary = strings.Fields(`the model answers with a "quoted" word and another one; func main() { return } — naïve
	Straße 数据库 migration\n\n- item: 42% of $100 <b>bold</b> C:\temp\file.txt {"json": [1, 2.5, null]} 😀 end.`)

func (g *generator) user(i int) []any {
	var key, sub any
	if i%3 == 0 {
		key = fmt.Sprintf("sk-%032x", i)
	}
	if i%4 == 0 {
		sub = fmt.Sprintf("oidc@subject-%d", i)
	}
	settings := `{"ui": {"theme": "dark", "models": ["llama3:latest"]}}`
	return []any{
		userID(i), fmt.Sprintf("User %d", i), fmt.Sprintf("user%d@example.test", i), "user", "/user.png", key,
		start + i, start + i, start + i, settings, nil, sub,
	}
}

// message is a member of history.messages as the application writes it.
type message struct {
	ID          string   `json:"id"`
	ParentID    *string  `json:"parentId"`
	ChildrenIDs []string `json:"childrenIds"`
	Role        string   `json:"role"`
	Content     string   `json:"content"`
	Model       string   `json:"model,omitempty"`
	Done        *bool    `json:"done,omitempty"`
	Timestamp   int      `json:"timestamp"`
	Models      []string `json:"models,omitempty"`
}

func (g *generator) document(i int) string {
	messages := map[string]message{}
	var last *string
	var list []message
	for n := range g.size.Messages {
		m := message{
			ID: id(3+i, n), ParentID: last, ChildrenIDs: []string{}, Role: "user", Content: g.words(120), Timestamp: start + i*60 + n, Models: []string{"llama3:latest"},
		}
		if n%2 == 1 {
			m.Role, m.Model, m.Models, m.Done, m.Content = "assistant", "llama3:latest", nil, new(true), g.words(420)
		}
		if n+1 < g.size.Messages {
			m.ChildrenIDs = []string{id(3+i, n+1)}
		}
		messages[m.ID], last = m, &m.ID
		list = append(list, m)
	}
	document := map[string]any{
		"id": "", "title": fmt.Sprintf("Chat %d", i), "models": []string{"llama3:latest"}, "params": map[string]any{}, "tags": []string{},
		"timestamp": (start + i*60) * 1000, "files": []any{}, "history": map[string]any{"messages": messages, "currentId": last},
	}
	if i%2 == 0 {
		document["messages"] = list // which older releases write as well
	}
	text, err := json.Marshal(document)
	if err != nil {
		panic(err) // Strings, numbers, lists and maps by strings can always be encoded.
	}
	return string(text)
}

func (g *generator) chat(i int) []any {
	var share any
	if i%40 == 0 && i/40 < g.size.Chats/40 {
		share = id(0xffff, i/40)
	}
	return []any{chatID(i), userID(i), fmt.Sprintf("Chat %d", i), g.document(i), share, i%10 == 9, start + i*60, start + i*60 + 30}
}

func (g *generator) sharedCopy(i int) []any {
	of := i * 40
	return []any{id(0xffff, i), "shared-" + chatID(of), fmt.Sprintf("Chat %d", of), g.document(of), nil, false, start + i, start + i}
}

func (g *generator) tag(i int) []any {
	return []any{id(4, i), tagNames[i%len(tagNames)], userID(i / len(tagNames)), nil}
}

func (g *generator) chatTag(i int) []any {
	return []any{id(5, i), tagNames[g.random.IntN(len(tagNames))], chatID(i), userID(i), start + i}
}

func (g *generator) file(i int) []any {
	meta := fmt.Sprintf(`{"name": "file %d.pdf", "content_type": "application/pdf", "size": %d, "path": "/app/backend/data/uploads/%s"}`, i, i*1000, id(6, i))
	data, err := json.Marshal(map[string]string{"content": g.words(2000)})
	if err != nil {
		panic(err) // see document
	}
	return []any{id(6, i), userID(i), fmt.Sprintf("file %d.pdf", i), meta, start + i, fmt.Sprintf("%064x", i), string(data), start + i}
}

func (g *generator) knowledge(i int) []any {
	files := fmt.Sprintf(`{"file_ids": [%q, %q]}`, id(6, 2*i), id(6, 2*i+1))
	return []any{id(7, i), userID(i), fmt.Sprintf("Knowledge %d", i), "All about it", files, nil, start + i, start + i}
}

func (g *generator) model(i int) []any {
	return []any{fmt.Sprintf("model-%d", i), userID(i), "llama3:latest", fmt.Sprintf("Model %d", i), `{"description": "` + strings.Repeat("x", 100) + `"}`, `{"temperature": 0.7}`, start + i, start + i}
}

func (g *generator) tool(i int) []any {
	return []any{fmt.Sprintf("tool_%d", i), userID(i), fmt.Sprintf("Tool %d", i), "class Tools:\n    pass\n", "[]", "{}", start + i, start + i, nil}
}

func (g *generator) prompt(i int) []any {
	return []any{fmt.Sprintf("/prompt-%d", i), userID(i), fmt.Sprintf("Prompt %d", i), g.words(300), start + i}
}

func (g *generator) memory(i int) []any {
	return []any{id(8, i), userID(i), g.words(60), start + i, start + i}
}
