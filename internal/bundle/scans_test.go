package bundle

import (
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// stepScans are the tables that Go steps read, row by row.
var stepScans = map[string][]string{
	"modelfiles_to_models":   {"modelfile"},
	"documents_to_knowledge": {"document"},
	"chat_text_to_json":      {"chat"},
	"tag_ids":                {"tag"},
	"chat_tags":              {"chat", "chatidtag"},
	"file_paths":             {"file"},
	"group_members":          {"group"},
	"user_text_to_json":      {"user"},
	"user_oauth_sub":         {"user"},
	"knowledge_files":        {"knowledge"},
	"chat_messages":          {"chat"},
	"access_grants":          {"channel", "file", "knowledge", "model", "note", "prompt", "tool"},
	"config_to_rows":         {"config"},
	"chat_current_message":   {"chat"},
	"repair_user_oauth":      {"user"},
	"chat_timers":            {"chat"},
}

var (
	stepLine  = regexp.MustCompile(`(?m)^-- schemagate:step (\w+)`)
	comment   = regexp.MustCompile(`(?m)^\s*--.*$`)
	creates   = regexp.MustCompile(`^CREATE TABLE "?(\w+)"?`)
	drops     = regexp.MustCompile(`^DROP TABLE "?(\w+)"?`)
	renames   = regexp.MustCompile(`^ALTER TABLE "?(\w+)"? RENAME TO "?(\w+)"?`)
	changes   = regexp.MustCompile(`^(?:UPDATE|DELETE FROM|CREATE (?:UNIQUE )?INDEX \w+ ON) "?(\w+)"?`)
	alters    = regexp.MustCompile(`(?s)^ALTER TABLE "?(\w+)"?.*(?:SET NOT NULL| TYPE \w+ USING|ADD CONSTRAINT)`)
	selects   = regexp.MustCompile(`(?s)^(?:WITH|INSERT INTO|UPDATE|DELETE FROM) .*`)
	fromTable = regexp.MustCompile(`\b(?:FROM|JOIN|USING) "?(\w+)"?`)
)

// scanned are the tables that a file reads or writes whole, of those that are there
// before it, as its statements tell.
func scanned(text string, there map[string]bool) []string {
	var found []string
	for _, m := range stepLine.FindAllStringSubmatch(text, -1) {
		found = append(found, stepScans[m[1]]...)
	}
	before := map[string]bool{}
	for name := range there {
		before[name] = true
	}
	for statement := range strings.SplitSeq(comment.ReplaceAllString(text, ""), ";") {
		statement = strings.TrimSpace(statement)
		for _, pattern := range []*regexp.Regexp{changes, alters} {
			if m := pattern.FindStringSubmatch(statement); m != nil {
				found = append(found, m[1])
			}
		}
		if selects.MatchString(statement) {
			for _, m := range fromTable.FindAllStringSubmatch(statement, -1) {
				found = append(found, m[1])
			}
		}
		if m := creates.FindStringSubmatch(statement); m != nil {
			there[m[1]] = true
		}
		if m := drops.FindStringSubmatch(statement); m != nil {
			delete(there, m[1])
		}
		if m := renames.FindStringSubmatch(statement); m != nil {
			delete(there, m[1])
			there[m[2]] = true
		}
	}
	found = slices.DeleteFunc(found, func(name string) bool { return !before[name] })
	slices.Sort(found)
	return slices.Compact(found)
}

// TestScans: the manifest names the tables that the files for PostgreSQL read or write
// whole, and no others.
func TestScans(t *testing.T) {
	t.Parallel()
	b := openWebUI(t)
	there, steps := map[string]bool{}, map[string]bool{}
	for i := range b.Revisions {
		revision := &b.Revisions[i]
		paths, err := fs.Glob(openWebUIFiles(), fmt.Sprintf("postgres/%03d_*.up.sql", revision.Version))
		if err != nil || len(paths) != 1 {
			t.Fatalf("revision %d has the files %v: %v", revision.Version, paths, err)
		}
		text, err := fs.ReadFile(openWebUIFiles(), paths[0])
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range stepLine.FindAllStringSubmatch(string(text), -1) {
			steps[m[1]] = true
			if len(stepScans[m[1]]) == 0 {
				t.Errorf("revision %d: what the step %s reads is not known here", revision.Version, m[1])
			}
		}
		if want := scanned(string(text), there); !slices.Equal(revision.Scans, want) {
			t.Errorf("revision %d scans %v, its file %v", revision.Version, revision.Scans, want)
		}
	}
	if len(steps) < 10 {
		t.Errorf("only the steps %v were found", steps)
	}
}
