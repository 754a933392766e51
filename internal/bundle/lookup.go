package bundle

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/schemagate/schemagate/internal/appversion"
)

// Latest names the newest revision of a bundle in [Bundle.Resolve].
const Latest = "latest"

// ErrUnknownAppVersion says that the bundle does not know which revision an
// application release needs: the release is older than the first revision, or
// newer than what the bundle and the overlay know.
var ErrUnknownAppVersion = errors.New("unknown application version")

// UnresolvedError says that a reference names no revision.
type UnresolvedError struct {
	// Ref is the reference as it was given.
	Ref string

	// Last is the newest order number of the bundle.
	Last int
}

// Error says what the reference was tried as.
func (e *UnresolvedError) Error() string {
	return fmt.Sprintf("%q names no revision: it is no order number from 1 to %d, no revision id, "+
		"no application version of three numbers and not %q", e.Ref, e.Last, Latest)
}

// Release says which revision an application release needs. As an overlay it
// teaches a bundle a release that is newer than the bundle.
type Release struct {
	// App is the release.
	App appversion.Version

	// Revision is the order number or the id of the revision it needs.
	Revision string
}

// OverlayError says what is wrong with a release of an overlay.
type OverlayError struct {
	// Release is the release as it was given.
	Release Release

	// Problem says what is wrong with it.
	Problem string
}

// Error names the release and the problem.
func (e *OverlayError) Error() string {
	return fmt.Sprintf("release %s: %s", e.Release.App, e.Problem)
}

// Resolve returns the revision that a reference names: "latest", an order
// number ("73", or padded as in file names, "073"), an id, or an application
// version of three numbers, which means the revision it requires. The numbers
// of the Peewee history are also its ids, and mean the same.
//
// The error is an [*UnresolvedError], or wraps [ErrUnknownAppVersion], or is an
// [*OverlayError].
func (b *Bundle) Resolve(ref string, overlay ...Release) (Revision, error) {
	if ref == Latest {
		return b.Latest(), nil
	}
	if revision, ok := b.find(ref); ok {
		return revision, nil
	}
	if app, err := appversion.Parse(ref); err == nil {
		return b.RequiredBy(app, overlay...)
	}
	return Revision{}, &UnresolvedError{Ref: ref, Last: len(b.Revisions)}
}

// find looks a revision up by id or order number.
func (b *Bundle) find(ref string) (Revision, bool) {
	for _, revision := range b.Revisions {
		if revision.ID == ref || strconv.Itoa(revision.Version) == ref || padded(revision.Version) == ref {
			return revision, true
		}
	}
	return Revision{}, false
}

// padded spells an order number as file names do.
func padded(version int) string { return fmt.Sprintf("%03d", version) }

// RequiredBy returns the revision that an application release needs: the
// newest one whose first release is not newer than it. The error wraps
// [ErrUnknownAppVersion], or is an [*OverlayError].
func (b *Bundle) RequiredBy(app appversion.Version, overlay ...Release) (Revision, error) {
	table, err := b.table(overlay)
	if err != nil {
		return Revision{}, err
	}
	version, err := table.required(app)
	if err != nil {
		return Revision{}, err
	}
	return b.Revisions[version-1], nil
}

// Releases returns the release table, oldest first: the releases that brought
// revisions with the last revision of each, by id, then the newest release
// known and the overlay. A release between two of them needs what the older one
// needs. The error is an [*OverlayError].
func (b *Bundle) Releases(overlay ...Release) ([]Release, error) {
	table, err := b.table(overlay)
	if err != nil {
		return nil, err
	}
	releases := make([]Release, len(table))
	for i, entry := range table {
		releases[i] = Release{App: entry.app, Revision: b.Revisions[entry.required-1].ID}
	}
	return releases, nil
}

// table maps releases to the order numbers they require. Both columns ascend:
// the first strictly, the second not.
type table []entry

type entry struct {
	app      appversion.Version
	required int
}

func (b *Bundle) table(overlay []Release) (table, error) {
	var t table
	for _, revision := range b.Revisions {
		if n := len(t); n > 0 && t[n-1].app == revision.App {
			t[n-1].required = revision.Version
			continue
		}
		t = append(t, entry{app: revision.App, required: revision.Version})
	}
	if last := t[len(t)-1]; last.app != b.NewestRelease {
		t = append(t, entry{app: b.NewestRelease, required: last.required})
	}
	overlay = slices.Clone(overlay)
	slices.SortStableFunc(overlay, func(x, y Release) int { return x.App.Compare(y.App) })
	for _, release := range overlay {
		added, err := b.overlaid(t[len(t)-1], release)
		if err != nil {
			return nil, err
		}
		t = append(t, added)
	}
	return t, nil
}

// overlaid returns the entry of an overlay's release that follows last.
func (b *Bundle) overlaid(last entry, release Release) (entry, error) {
	refuse := func(format string, args ...any) (entry, error) {
		return entry{}, &OverlayError{Release: release, Problem: fmt.Sprintf(format, args...)}
	}
	if release.App.Compare(b.NewestRelease) <= 0 {
		return refuse("the bundle knows the releases up to %s itself", b.NewestRelease)
	}
	if release.App == last.app {
		return refuse("it is listed twice")
	}
	revision, ok := b.find(release.Revision)
	if !ok {
		return refuse("%q is neither the order number nor the id of a revision", release.Revision)
	}
	if revision.Version < last.required {
		return refuse("it cannot need revision %d (%s) when the older release %s needs revision %d",
			revision.Version, revision.ID, last.app, last.required)
	}
	return entry{app: release.App, required: revision.Version}, nil
}

func (t table) required(app appversion.Version) (int, error) {
	oldest, newest := t[0].app, t[len(t)-1].app
	if app.Compare(oldest) < 0 {
		return 0, fmt.Errorf("%w: %s is older than %s, the oldest release whose schema is known",
			ErrUnknownAppVersion, app, oldest)
	}
	if app.Compare(newest) > 0 {
		return 0, fmt.Errorf("%w: %s is newer than %s, the newest release whose schema is known",
			ErrUnknownAppVersion, app, newest)
	}
	required := 0
	for _, entry := range t {
		if entry.app.Compare(app) <= 0 {
			required = entry.required
		}
	}
	return required, nil
}

// between returns the oldest release that requires a revision from from to to,
// and the first newer one that does not; both zero when there is none.
func (t table) between(from, to int) (oldest, before appversion.Version) {
	before = t[len(t)-1].app.NextPatch()
	for _, entry := range slices.Backward(t) {
		switch {
		case entry.required > to:
			before = entry.app
		case entry.required >= from:
			oldest = entry.app
		}
	}
	if oldest.IsZero() {
		return appversion.Version{}, appversion.Version{}
	}
	return oldest, before
}
