package kubectl

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/schemagate/schemagate/internal/migrate"
)

// TestKinds: the lines are those of the engine.
func TestKinds(t *testing.T) {
	t.Parallel()
	want := []migrate.EventKind{migrate.EventPlanned, migrate.EventAdopted, migrate.EventStarted, migrate.EventProgress, migrate.EventApplied, migrate.EventWaiting}
	var got []migrate.EventKind
	for _, kind := range []string{kindPlanned, kindAdopted, kindStarted, kindProgress, kindApplied, kindWaiting} {
		got = append(got, migrate.EventKind(kind))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestProgress(t *testing.T) {
	t.Parallel()
	var p progress
	for _, turn := range []struct{ line, tells, bar string }{
		{"not JSON", "", ""},
		{`{"kind":"planned","total":4}`, "planned 4 revisions", "[                        ] 0/4"},
		{`{"kind":"adopted","revision":18,"id":"018"}`, "adopted the database at revision 18 (018)", "[                        ] 0/4"},
		{`{"kind":"started","revision":19,"id":"7e5b5dc7342b","direction":"up"}`, "", "[                        ] 0/4 revision 19 (7e5b5dc7342b)"},
		{
			`{"kind":"progress","revision":19,"id":"7e5b5dc7342b","step":"fill","done":50,"total":100}`,
			"revision 19 (7e5b5dc7342b), fill: 50 of 100 rows", "[===                     ] 0/4 revision 19 (7e5b5dc7342b) fill: 50 of 100 rows",
		},
		{
			`{"kind":"progress","revision":19,"id":"7e5b5dc7342b","step":"fill","done":55,"total":100}`,
			"", "[===                     ] 0/4 revision 19 (7e5b5dc7342b) fill: 55 of 100 rows",
		},
		{
			`{"kind":"applied","revision":19,"id":"7e5b5dc7342b","direction":"up","durationSeconds":1.25}`,
			"applied revision 19 (7e5b5dc7342b) in 1.25s, 1 of 4", "[======                  ] 1/4",
		},
		{`{"kind":"progress","revision":20,"id":"x","step":"count","done":7}`, "", "[======                  ] 1/4 count: 7 rows"},
		{`{"kind":"waiting","reason":"TableLocked"}`, "waits and tries again: TableLocked", "[======                  ] 1/4 count: 7 rows"},
		{`{"kind":"planned","total":1}`, "planned 1 revision", "[                        ] 0/1"},
		{`{"kind":"applied","revision":20,"id":"x","direction":"down","durationSeconds":0}`, "reverted revision 20 (x) in 0s, 1 of 1", "[========================] 1/1"},
		{`{"kind":"result","outcome":"done"}`, "", "[========================] 1/1"},
	} {
		if tells := p.read(turn.line); tells != turn.tells {
			t.Errorf("%s tells %q, want %q", turn.line, tells, turn.tells)
		}
		if bar := p.bar(); bar != turn.bar {
			t.Errorf("after %s the bar is %q, want %q", turn.line, bar, turn.bar)
		}
	}
}

// TestBlock: what is redrawn is erased first, and lines come above it.
func TestBlock(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	w := &watcher{watchCmd: &watchCmd{session: newTestSession()}, out: &out, live: true, logs: map[string]*logReader{}}
	w.line("first")
	w.redraw([]string{"bar", strings.Repeat("x", 100)})
	w.line("second")
	w.redraw(nil)
	block := "bar\n" + strings.Repeat("x", 78) + "…\n"
	want := "first\n" + block + "\x1b[2A\x1b[J" + "second\n" + block + "\x1b[2A\x1b[J"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}

// TestLogIsReadOnce: a stream that breaks off is read again from its beginning.
func TestLogIsReadOnce(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	w := &watcher{watchCmd: &watchCmd{session: newTestSession()}, out: &out, logs: map[string]*logReader{}}
	r := &logReader{}
	lines := []string{`{"kind":"planned","total":2}`, `{"kind":"applied","revision":1,"id":"001","direction":"up"}`, `{"kind":"applied","revision":2,"id":"002","direction":"up"}`}
	for i, text := range lines[:2] {
		w.readLine(r, i+1, text)
	}
	for i, text := range lines {
		w.readLine(r, i+1, text)
	}
	want := "planned 2 revisions\napplied revision 1 (001) in 0s, 1 of 2\napplied revision 2 (002) in 0s, 2 of 2\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}

// TestBlockOf shows the bar, and who waits.
func TestBlockOf(t *testing.T) {
	t.Parallel()
	v := migrating(t)
	r := &logReader{progress: progress{total: 13, done: 6}}
	want := []string{
		"[===========             ] 6/13, 30s",
		"2 pods waiting: open-webui-new needs 73 (0.11.0), open-webui-odd",
	}
	if diff := cmp.Diff(want, v.blockOf(r, true)); diff != "" {
		t.Error(diff)
	}
	if got := v.blockOf(nil, false); len(got) != 1 {
		t.Errorf("without a Job the block is %q", got)
	}
}
