package bundle

import (
	"crypto/sha512"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/schemagate/schemagate/internal/appversion"
)

func TestIntervalOpenWebUI(t *testing.T) {
	t.Parallel()
	b := openWebUI(t)
	overlay := []Release{{App: version(t, "0.11.4"), Revision: "76"}}
	tests := []struct {
		applied            int
		birth              Birth
		overlay            []Release
		from, to           int
		appFrom, appBefore string
	}{
		{applied: 1, birth: BirthPeewee, from: 1, to: 1}, // 0.1.117 needs 3
		{applied: 3, birth: BirthPeewee, from: 1, to: 3, appFrom: "0.1.117", appBefore: "0.1.120"},
		{applied: 18, birth: BirthPeewee, from: 10, to: 18, appFrom: "0.2.0", appBefore: "0.3.8"},
		{applied: 19, birth: BirthPeewee, from: 10, to: 19, appFrom: "0.2.0", appBefore: "0.3.16"},
		{applied: 34, birth: BirthPeewee, from: 30, to: 34, appFrom: "0.4.0", appBefore: "0.6.16"},
		{applied: 38, birth: BirthPeewee095, from: 30, to: 38, appFrom: "0.4.0", appBefore: "0.6.32"},
		{applied: 60, birth: BirthPeewee, from: 59, to: 60, appFrom: "0.9.3", appBefore: "0.9.6"},
		{applied: 60, birth: BirthPeewee095, from: 59, to: 60, appFrom: "0.9.3", appBefore: "0.9.6"},
		{applied: 62, birth: BirthPeewee, from: 59, to: 62, appFrom: "0.9.3", appBefore: "0.10.0"},
		{applied: 62, birth: BirthPeewee095, from: 59, to: 62, appFrom: "0.9.3", appBefore: "0.10.0"},
		// A release up to 0.9.5 would run Peewee on such a database.
		{applied: 19, birth: BirthAlembic},
		{applied: 60, birth: BirthAlembic},
		{applied: 61, birth: BirthAlembic, from: 61, to: 61}, // 0.9.6 needs 62
		{applied: 62, birth: BirthAlembic, from: 61, to: 62, appFrom: "0.9.6", appBefore: "0.10.0"},
		{applied: 66, birth: BirthAlembic, from: 63, to: 66, appFrom: "0.10.0", appBefore: "0.11.0"},
		// Between two revisions of one release no release fits.
		{applied: 67, birth: BirthPeewee, from: 63, to: 67, appFrom: "0.10.0", appBefore: "0.11.0"},
		{applied: 68, birth: BirthPeewee, from: 68, to: 68},
		{applied: 72, birth: BirthPeewee, from: 68, to: 72},
		{applied: 73, birth: BirthPeewee, from: 68, to: 73, appFrom: "0.11.0", appBefore: "0.11.1"},
		{applied: 75, birth: BirthAlembic, from: 68, to: 75, appFrom: "0.11.0", appBefore: "0.11.1"},
		{applied: 76, birth: BirthPeewee, from: 76, to: 76, appFrom: "0.11.1", appBefore: "0.11.2"},
		{applied: 76, birth: BirthAlembic, overlay: overlay, from: 76, to: 76, appFrom: "0.11.1", appBefore: "0.11.5"},
		// What the bundle does not know serves nobody.
		{applied: 0, birth: BirthPeewee},
		{applied: -1, birth: BirthPeewee},
		{applied: 77, birth: BirthPeewee},
		{applied: 18, birth: BirthAlembic},
		{applied: 76, birth: ""},
		{applied: 76, birth: "rails"},
	}
	for _, test := range tests {
		t.Run(fmt.Sprintf("%d %s", test.applied, test.birth), func(t *testing.T) {
			t.Parallel()
			want := Interval{
				From: test.from, To: test.to,
				AppFrom: version(t, test.appFrom), AppBefore: version(t, test.appBefore),
			}
			if diff := cmp.Diff(want, b.Interval(test.applied, test.birth, test.overlay...)); diff != "" {
				t.Errorf("Interval() differs (-want +got):\n%s", diff)
			}
		})
	}
}

// A birth can begin in the middle of a release. The release's older revisions
// do not exist for it, so nobody can require them.
func TestIntervalOfBirthWithinRelease(t *testing.T) {
	t.Parallel()
	b, err := load(t, strings.NewReplacer("first: 3, appFrom: 1.2.0", "first: 3, appFrom: 1.1.0",
		"bornAlembicFrom: 4", "bornAlembicFrom: 3").Replace(small))
	if err != nil {
		t.Fatal(err)
	}
	want := Interval{From: 3, To: 3, AppFrom: version(t, "1.1.0"), AppBefore: version(t, "1.2.0")}
	if got := b.Interval(3, BirthAlembic); got != want {
		t.Errorf("Interval() = %+v, want %+v", got, want)
	}
	want.From = 2
	if got := b.Interval(3, BirthPeewee); got != want {
		t.Errorf("Interval() = %+v for birth peewee, want %+v", got, want)
	}
}

func TestIntervalServes(t *testing.T) {
	t.Parallel()
	interval := Interval{From: 68, To: 73}
	for required, want := range map[int]bool{-1: false, 0: false, 67: false, 68: true, 70: true, 73: true, 74: false} {
		if got := interval.Serves(required); got != want {
			t.Errorf("Serves(%d) = %t, want %t", required, got, want)
		}
	}
	for _, required := range []int{-1, 0, 1} {
		if (Interval{}).Serves(required) {
			t.Errorf("The zero Interval serves %d", required)
		}
	}
	if (Interval{}).ServesApp(appversion.Version{}) {
		t.Error("The zero Interval serves the zero version")
	}
}

func TestFencing(t *testing.T) {
	t.Parallel()
	b := openWebUI(t)
	tests := []struct {
		from, to int
		want     []int
	}{
		// All of them, so that nobody changes a label without saying so.
		{0, 76, []int{4, 5, 7, 10, 20, 22, 23, 24, 27, 30, 40, 41, 42, 43, 44, 48, 49, 50, 55, 57, 59, 63, 68, 76}},
		{0, 18, []int{4, 5, 7, 10}},
		{18, 34, []int{20, 22, 23, 24, 27, 30}},
		{66, 73, []int{68}},
		{68, 73, nil},
		{67, 68, []int{68}},
		{73, 76, []int{76}},
		{76, 76, nil},
		{76, 66, nil},
		{75, 99, []int{76}},
	}
	for _, test := range tests {
		var got []int
		for _, revision := range b.Fencing(test.from, test.to) {
			got = append(got, revision.Version)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("Fencing(%d, %d) differs (-want +got):\n%s", test.from, test.to, diff)
		}
	}
}

// The interval of every revision, birth and overlay agrees with the rule
// itself, for every release that could matter.
func TestIntervalFollowsRule(t *testing.T) {
	t.Parallel()
	b := openWebUI(t)
	overlays := [][]Release{
		nil,
		{{App: version(t, "0.11.2"), Revision: "76"}},
		{{App: version(t, "1.0.0"), Revision: "76"}, {App: version(t, "0.12.3"), Revision: "d4c1a8e37b62"}},
	}
	served := 0
	for _, overlay := range overlays {
		served += checkRule(t, b, overlay)
	}
	if served < 1000 {
		t.Errorf("Only %d combinations were served: the test compares nothing", served)
	}
}

func FuzzIntervalFollowsRule(f *testing.F) {
	for seed := range byte(60) {
		bytes := sha512.Sum512([]byte{seed})
		f.Add(bytes[:])
	}
	f.Fuzz(func(t *testing.T, bytes []byte) {
		random := chance(bytes)
		b := randomBundle(&random)
		if problems := b.validate(); len(problems) > 0 {
			t.Fatalf("The random bundle is not valid: %v", problems)
		}
		checkRule(t, b, nil)
		checkRule(t, b, []Release{{App: b.NewestRelease.NextPatch().NextPatch(), Revision: b.Latest().ID}})
	})
}

// checkRule compares Interval with the rule, evaluated as it is written, and
// returns how many combinations were served.
func checkRule(t *testing.T, b *Bundle, overlay []Release) (served int) {
	t.Helper()
	for _, spec := range b.Births {
		for applied := 0; applied <= len(b.Revisions)+1; applied++ {
			interval := b.Interval(applied, spec.Name, overlay...)
			if interval != (Interval{}) && (interval.From < 1 || interval.From > interval.To || interval.To != applied) {
				t.Fatalf("Interval(%d, %s) = %+v is not an interval up to %d", applied, spec.Name, interval, applied)
			}
			for _, app := range interesting(b, overlay) {
				required := requiredByRule(b, app, overlay)
				want := servedByRule(b, spec, applied, app, required)
				if got := interval.ServesApp(app); got != want {
					t.Fatalf("Interval(%d, %s) = %+v serves %s: %t, want %t", applied, spec.Name, interval, app, got, want)
				}
				if got := interval.Serves(required); got != want {
					t.Fatalf("Interval(%d, %s) = %+v serves revision %d: %t, want %t", applied, spec.Name, interval, required, got, want)
				}
				if want {
					served++
				}
			}
		}
	}
	return served
}

// interesting lists the releases around every one that the bundle or the
// overlay names.
func interesting(b *Bundle, overlay []Release) []appversion.Version {
	named := []appversion.Version{{}, b.NewestRelease}
	for _, revision := range b.Revisions {
		named = append(named, revision.App)
	}
	for _, release := range overlay {
		named = append(named, release.App)
	}
	var apps []appversion.Version
	for _, app := range named {
		apps = append(apps, app, app.NextPatch())
		if app.Patch > 0 {
			app.Patch--
			apps = append(apps, app)
		}
		app.Minor++
		apps = append(apps, app)
	}
	return apps
}

// requiredByRule returns the newest revision whose first release is not newer
// than app, or 0 for a release that nobody knows.
func requiredByRule(b *Bundle, app appversion.Version, overlay []Release) int {
	newest := b.NewestRelease
	required := 0
	for _, revision := range b.Revisions {
		if revision.App.Compare(app) <= 0 {
			required = revision.Version
		}
	}
	for _, release := range overlay {
		if release.App.Compare(newest) > 0 {
			newest = release.App
		}
	}
	if app.Compare(newest) > 0 {
		return 0
	}
	return required
}

// servedByRule is the compatibility rule as the documents state it.
func servedByRule(b *Bundle, spec BirthSpec, applied int, app appversion.Version, required int) bool {
	if required == 0 || applied < required || applied > len(b.Revisions) {
		return false
	}
	if app.Compare(spec.AppFrom) < 0 || applied < spec.First {
		return false
	}
	for version := required + 1; version <= applied; version++ {
		if b.Revisions[version-1].Label != Additive {
			return false
		}
	}
	return true
}

// chance makes decisions from the bytes of a fuzz input, and always the first
// choice after its end.
type chance []byte

func (c *chance) below(n int) int {
	if len(*c) == 0 {
		return 0
	}
	first := (*c)[0]
	*c = (*c)[1:]
	return int(first) % n
}

// randomBundle makes a valid bundle of up to 16 revisions.
func randomBundle(random *chance) *Bundle {
	b := &Bundle{Name: "random", Title: "Random", Engines: []Engine{Postgres}}
	app := appversion.Version{Minor: 1}
	peewee := random.below(5)
	last := peewee + 1 + random.below(12)
	for n := 1; n <= last; n++ {
		switch random.below(4) {
		case 0:
			app.Minor, app.Patch = app.Minor+1, 0
		case 1:
			app.Patch++
		case 2:
			app.Patch += 3
		}
		revision := Revision{
			Version: n, ID: padded(n), History: HistoryPeewee, Name: "name", App: app, Touches: []string{"one"},
			Label: []Label{Additive, Additive, Quiesce, Breaking}[random.below(4)], Why: "Chance.",
		}
		if n > peewee {
			revision.ID, revision.History = fmt.Sprintf("%012x", n), HistoryAlembic
		}
		b.Revisions = append(b.Revisions, revision)
	}
	b.NewestRelease = app
	if random.below(2) == 0 {
		b.NewestRelease = app.NextPatch()
	}
	first := b.firstOf(BirthAlembic)
	oldest := first + random.below(len(b.Revisions)-first+1)
	b.Births = []BirthSpec{
		{Name: BirthPeewee, First: 1, AppFrom: b.Revisions[0].App},
		{Name: BirthAlembic, First: first, AppFrom: b.Revisions[oldest-1].App},
	}
	b.BornAlembicFrom = b.oldest(b.Births[1])
	return b
}
