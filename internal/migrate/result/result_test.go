package result

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func full() Result {
	return Result{
		Kind: Kind, Outcome: Locked, Reason: ReasonTableLocked, From: 68, To: 72, Target: 73, ID: "abc", AppVersion: "0.11.0",
		Birth: "peewee", AdoptedAt: 68, Applied: 4, DurationSeconds: 1.5,
		Failure: &Failure{
			Revision: 73, Direction: "up", Line: 12, SQLState: "55P03", SQLiteCode: 5, Table: "chat", Column: "id", Constraint: "c",
			Step: "s", Blockers: []Blocker{{"nightly", 42, 2}}, Checks: []Check{{"c", 73, 9}}, Found: []string{"x"},
		},
	}
}

func TestEncodeAndDecode(t *testing.T) {
	t.Parallel()
	line, err := full().Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := Decode(line)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(full(), got); diff != "" {
		t.Errorf("after both ways (-want +got):\n%s", diff)
	}
}

func TestEncodeFits(t *testing.T) {
	t.Parallel()
	tests := map[string]func(*Result){
		"many findings": func(r *Result) {
			for i := range 500 {
				r.Failure.Found = append(r.Failure.Found, fmt.Sprint(i, strings.Repeat("<", 150)))
			}
		},
		"many of everything": func(r *Result) {
			for i := range 300 {
				r.Failure.Found = append(r.Failure.Found, "table")
				r.Failure.Blockers = append(r.Failure.Blockers, Blocker{strings.Repeat("ø", 63), i, 1})
				r.Failure.Checks = append(r.Failure.Checks, Check{"check", i, 1})
			}
		},
		"large tables": func(r *Result) {
			for i := range 200 {
				r.Tables = append(r.Tables, Table{Name: fmt.Sprint(strings.Repeat("ø", 30), i), Rows: 1 << 60, Bytes: 1 << 60})
			}
		},
		"endless names": func(r *Result) {
			long := strings.Repeat("ø", 5000)
			f := r.Failure
			r.ID, r.AppVersion, r.Birth, r.Reason = long, long, long, Reason(long)
			f.Table, f.Column, f.Constraint, f.Step, f.Direction, f.SQLState = long, long, long, long, long, long
		},
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := full()
			change(&r)
			line, err := r.Encode()
			if err != nil {
				t.Fatal(err)
			}
			if len(line) > MaxBytes {
				t.Errorf("%d bytes, want at most %d", len(line), MaxBytes)
			}
			got, err := Decode(line)
			if err != nil || got.Outcome != r.Outcome || got.Failure.Line != 12 {
				t.Errorf("decoded as %+v: %v", got, err)
			}
			if got.Failure.Truncated != strings.HasPrefix(name, "many") {
				t.Errorf("truncated is %t", got.Failure.Truncated)
			}
		})
	}
}

func TestEncodeLeavesTheResultAlone(t *testing.T) {
	t.Parallel()
	r := full()
	r.Failure.Blockers[0].Application = "evil\n\x1b[31mname"
	line, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(string(line), "\n\x1b") || strings.Contains(string(line), `\n`) {
		t.Errorf("control characters pass: %s", line)
	}
	if r.Failure.Blockers[0].Application != "evil\n\x1b[31mname" {
		t.Error("encoding has changed the result")
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	for name, line := range map[string]string{
		"nothing": "", "no JSON": "panic: secret", "progress": `{"kind":"applied"}`, "no outcome": `{"kind":"result"}`, "a list": "[]",
	} {
		if r, err := Decode([]byte(line)); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	want := map[Outcome]int{Done: 0, Usage: 10, Transient: 11, Permanent: 12, Refused: 13, Locked: 14}
	for outcome, code := range want {
		if got := outcome.ExitCode(); got != code {
			t.Errorf("%s has the exit code %d, want %d", outcome, got, code)
		}
		if got, ok := FromExitCode(code); !ok || got != outcome {
			t.Errorf("exit code %d means %s, want %s", code, got, outcome)
		}
	}
	for _, code := range []int{1, 2, 126, 137, 143} {
		if got, ok := FromExitCode(code); ok {
			t.Errorf("exit code %d means %s, want nothing", code, got)
		}
	}
	if got := Outcome("of the future").ExitCode(); got != ExitPermanent {
		t.Errorf("an unknown outcome has the exit code %d", got)
	}
}

func TestZeroResultSaysWhereItIs(t *testing.T) {
	t.Parallel()
	line, err := Result{Outcome: Done}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(line, &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"kind": "result", "outcome": "done", "from": 0.0, "to": 0.0, "applied": 0.0, "durationSeconds": 0.0}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
