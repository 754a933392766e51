package progress

import (
	"regexp"
	"strings"
	"testing"
)

func TestReport(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	report := New(&out)
	report.Say("hello %s", "you")
	report.Step("one").Done()
	report.Step("two").Failed()
	want := regexp.MustCompile(`^hello you\none +\d+\.\ds\ntwo +FAILED after +\d+\.\ds\n$`)
	if !want.MatchString(out.String()) {
		t.Errorf("the report is %q, want %s", out.String(), want)
	}
}
