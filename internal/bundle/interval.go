package bundle

import "github.com/schemagate/schemagate/internal/appversion"

// Interval is what a schema serves: the pods whose required revision lies in
// it. The zero Interval serves nobody.
type Interval struct {
	// From and To are the oldest and the newest revision, both inclusive.
	// Either both are zero or 1 ≤ From ≤ To.
	From, To int

	// AppFrom is the oldest application release that requires a revision of the
	// interval, and AppBefore the first newer one that does not: it needs more
	// or, when no known release does, it is the smallest version that is not
	// known. Both are zero when no release requires a revision of the interval,
	// as between two revisions that came with one release.
	AppFrom, AppBefore appversion.Version
}

// Serves reports whether a pod that requires a revision can run.
func (i Interval) Serves(required int) bool {
	return required >= 1 && i.From <= required && required <= i.To
}

// ServesApp reports whether the pods of an application release can run.
func (i Interval) ServesApp(app appversion.Version) bool {
	return i.AppFrom.Compare(app) <= 0 && app.Compare(i.AppBefore) < 0
}

// Interval returns what a schema at the applied revision serves. A schema at
// revision S serves a pod that requires R if and only if S ≥ R and no revision
// in (R, S] is fencing; and no release can run that is older than what its
// birth allows.
//
// It is the zero Interval when that leaves nothing, and also when the bundle
// does not know the revision or the birth, or the overlay is not valid: whoever
// asks too early or too late opens no gate.
func (b *Bundle) Interval(applied int, birth Birth, overlay ...Release) Interval {
	spec, ok := b.Birth(birth)
	if !ok || applied > len(b.Revisions) {
		return Interval{}
	}
	table, err := b.table(overlay)
	if err != nil {
		return Interval{}
	}
	from := max(b.oldest(spec), b.newestFence(applied))
	if from > applied {
		return Interval{}
	}
	interval := Interval{From: from, To: applied}
	interval.AppFrom, interval.AppBefore = table.between(from, applied)
	return interval
}

// newestFence returns the newest fencing revision up to the applied one, or 0.
func (b *Bundle) newestFence(applied int) int {
	for version := applied; version >= 1; version-- {
		if b.Revisions[version-1].Label.Fencing() {
			return version
		}
	}
	return 0
}

// Fencing returns the fencing revisions in (from, to], in order: what a
// migration between them does to running pods. There are none on a way down,
// where the interval of the target decides.
func (b *Bundle) Fencing(from, to int) []Revision {
	var fencing []Revision
	for _, revision := range b.Revisions {
		if revision.Version > from && revision.Version <= to && revision.Label.Fencing() {
			fencing = append(fencing, revision)
		}
	}
	return fencing
}
