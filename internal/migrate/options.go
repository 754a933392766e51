package migrate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/catalog"
	"github.com/schemagate/schemagate/internal/dburl"
	"github.com/schemagate/schemagate/internal/migrate/result"
	"github.com/schemagate/schemagate/internal/migrate/step"
)

// The defaults of Options.
const (
	DefaultSchema         = "public"
	DefaultLockTimeout    = 5 * time.Second
	DefaultConnectTimeout = 10 * time.Second
	DefaultRetryTimeout   = 2 * time.Minute
)

// Adoption says what happens to a database that was migrated by the
// application and not by this package. Besides the constants it may be a
// revision, in the forms of Options.Target: then the database is adopted at that
// revision and no other, and whoever says so vouches for what is in the rows.
type Adoption string

// The values of Adoption.
const (
	// AdoptAuto adopts a database that is recognized, at the revision that its
	// tables have.
	AdoptAuto Adoption = "auto"
	// AdoptNever refuses it.
	AdoptNever Adoption = "never"
)

// DriftPolicy says what a database means whose catalog is not what its revision
// leaves. What it has in addition is never drift.
type DriftPolicy string

// The values of DriftPolicy.
const (
	// DriftIgnore compares nothing.
	DriftIgnore DriftPolicy = "ignore"
	// DriftWarn reports drift in the result.
	DriftWarn DriftPolicy = "warn"
	// DriftBlock reports it, and applies and reverts nothing while it lasts.
	DriftBlock DriftPolicy = "block"
)

// BirthAuto lets the target decide the birth of an empty database.
const BirthAuto = "auto"

// Empty is the target that reverts every revision.
const Empty = "0"

// Catalogs knows the catalog that a revision leads to.
type Catalogs interface {
	// Compare reads the catalog of the database that q talks to and returns how
	// it differs from the one that a database of this birth has at a revision;
	// nothing when they are equal. known is false when there is no catalog to
	// compare with. Differences name tables, columns and the like, and no data.
	Compare(ctx context.Context, q step.Tx, dialect step.Dialect, schema string,
		version int, birth bundle.Birth) (difference catalog.Difference, known bool, err error)

	// Locate reads the catalog in the same way and returns the revision that it
	// is nearest to; found is false if none comes into question.
	Locate(ctx context.Context, q step.Tx, dialect step.Dialect, schema string,
		question catalog.Question) (position catalog.Position, found bool, err error)
}

// Options configure a Runner. Bundle, Files, Database and Target are needed.
type Options struct {
	// Bundle and Files are the revisions; Files is the file system that Bundle
	// was loaded from.
	Bundle *bundle.Bundle
	Files  fs.FS
	// Steps are the Go steps that the files and checks of the bundle name.
	Steps step.Set
	// Catalogs are used to recognize databases; without them nothing is adopted.
	Catalogs Catalogs

	// Database is where the database is.
	Database dburl.Database
	// Schema is the PostgreSQL schema; empty means "public". SQLite has none.
	Schema string

	// Target is an order number, an id, an application version of three parts,
	// "latest" for the newest revision that has files, or "0" for an empty
	// database.
	Target string
	// Birth is "auto" (the default when empty), or what an empty database is to
	// be born as.
	Birth string
	// AllowDowngrade permits a target below the applied revision. What the way
	// down cannot bring back is lost.
	AllowDowngrade bool
	// RefuseFencing refuses to apply fencing revisions to a database that is not
	// empty: for callers who know that the application is running. The result says
	// where the database stands.
	RefuseFencing bool
	// RefuseDestructive does the same with destructive revisions: for callers
	// to whom nobody has approved them.
	RefuseDestructive bool
	// Fence, if set, has others looked for before a revision that they could not
	// live with.
	Fence *Fence
	// Expect is the revision at which the caller takes the database to be, in
	// the forms of Target; empty for no expectation. A database that is neither
	// there nor on the way from there to the target is refused.
	Expect string
	// Adopt is AdoptAuto when empty.
	Adopt Adoption
	// Drift is DriftWarn when empty. Without Catalogs nothing is compared.
	Drift DriftPolicy
	// Owner is who runs, nil for nobody in particular. A database that has an
	// owner is refused to all others, nobody included, unless TakeOwnership is
	// set; then Owner, or nobody, owns it afterwards.
	Owner         *Owner
	TakeOwnership bool

	// LockTimeout bounds the wait for one lock on a table; 0 is the default of
	// five seconds. Locks that are waited for hold up the application's own
	// queries, so it is short and the wait is repeated.
	LockTimeout time.Duration
	// StatementTimeout bounds one statement; 0 is no limit.
	StatementTimeout time.Duration
	// ConnectTimeout bounds one attempt to connect; 0 is the default of ten
	// seconds, or what the URL says.
	ConnectTimeout time.Duration
	// RetryTimeout is for how long a run keeps trying after lock timeouts,
	// deadlocks and lost connections, counted from the first of them since
	// it made progress, and for how long it waits for other runners; 0 is the
	// default of two minutes.
	RetryTimeout time.Duration

	// Version is the version of this program, for the history.
	Version string
	// Report is told what happens; nil for nobody. It is called by the
	// goroutine that runs and must return quickly.
	Report func(Event)
}

// complete fills in defaults and validates.
func (o *Options) complete() error {
	if o.Bundle == nil || o.Files == nil {
		return errors.New("a bundle and its files are needed")
	}
	if o.Schema == "" {
		o.Schema = DefaultSchema
	}
	if strings.ContainsRune(o.Schema, 0) || len(o.Schema) > 63 {
		return usage(result.ReasonInvalidOption, "the schema's name is longer than 63 bytes or holds a zero byte")
	}
	if o.Adopt == "" {
		o.Adopt = AdoptAuto
	}
	switch o.Drift {
	case "":
		o.Drift = DriftWarn
	case DriftIgnore, DriftWarn, DriftBlock:
	default:
		return usage(result.ReasonInvalidOption, "drift must be %s, %s or %s", DriftIgnore, DriftWarn, DriftBlock)
	}
	if err := errors.Join(o.Owner.validate(), o.validateFence()); err != nil {
		return err
	}
	if o.Report == nil {
		o.Report = func(Event) {}
	}
	if err := o.completeTimeouts(); err != nil {
		return err
	}
	return o.completeBirth()
}

func (o *Options) completeTimeouts() error {
	if o.ConnectTimeout == 0 {
		o.ConnectTimeout = time.Duration(o.Database.ConnectTimeoutSeconds) * time.Second
	}
	for _, t := range []struct {
		name  string
		value *time.Duration
		unset time.Duration
	}{
		{"lock timeout", &o.LockTimeout, DefaultLockTimeout},
		{"statement timeout", &o.StatementTimeout, 0},
		{"connect timeout", &o.ConnectTimeout, DefaultConnectTimeout},
		{"retry timeout", &o.RetryTimeout, DefaultRetryTimeout},
	} {
		switch {
		case *t.value < 0 || *t.value > 0 && *t.value < time.Millisecond || *t.value > 24*24*time.Hour:
			// PostgreSQL counts milliseconds in 31 bits.
			return usage(result.ReasonInvalidOption, "the %s must be between a millisecond and 24 days", t.name)
		case *t.value == 0:
			*t.value = t.unset
		}
	}
	return nil
}

func (o *Options) completeBirth() error {
	if o.Birth == "" {
		o.Birth = BirthAuto
	}
	if o.Birth == BirthAuto {
		return nil
	}
	birth, err := bundle.ParseBirth(o.Birth)
	if err != nil {
		return &Error{Outcome: result.Usage, Reason: result.ReasonInvalidOption, Err: err}
	}
	if _, ok := o.Bundle.Birth(birth); !ok {
		return usage(result.ReasonInvalidOption, "the bundle %s has no birth %s", o.Bundle.Name, birth)
	}
	return nil
}

// resolve returns the order number of a revision, 0 for the empty database.
func (o *Options) resolve(what, ref string) (int, error) {
	switch ref {
	case Empty:
		return 0, nil
	case bundle.Latest:
		return o.latest()
	}
	if strings.Contains(ref, "://") {
		// A URL in the wrong place is not repeated.
		return 0, usage(result.ReasonUnknownTarget, "%s is a URL: want an order number, a revision id, an application version or %q", what, bundle.Latest)
	}
	revision, err := o.Bundle.Resolve(ref)
	if err != nil {
		return 0, &Error{
			Outcome: result.Usage, Reason: result.ReasonUnknownTarget,
			Message: what + " cannot be resolved", Err: err,
		}
	}
	return revision.Version, nil
}

// latest returns the newest revision that can be applied: the manifest may know
// revisions whose files are still to come. The birth does not matter, because
// files stand for all births or for the ones that differ.
func (o *Options) latest() (int, error) {
	name, err := engineOf(o.Database)
	if err != nil {
		return 0, usage(result.ReasonInvalidURL, "%v", err)
	}
	files, err := o.Bundle.Files(o.Files, name, bundle.BirthPeewee)
	if err != nil && files.Available() == 0 {
		return 0, &Error{Outcome: result.Permanent, Reason: result.ReasonFileMissing, Err: err}
	}
	return files.Available(), nil
}

// New validates the options and returns a runner. It does not connect. The
// error is an *Error.
func New(options Options) (*Runner, error) {
	if err := options.complete(); err != nil {
		return nil, classify(err)
	}
	r := &Runner{options: options}
	var err error
	if r.target, err = options.resolve("the target", options.Target); err != nil {
		return nil, classify(err)
	}
	if o := options.Adopt; o != AdoptAuto && o != AdoptNever {
		if r.adoptAt, err = options.resolve("the revision to adopt at", string(o)); err != nil {
			return nil, classify(err)
		}
		if r.adoptAt == 0 {
			return nil, usage(result.ReasonInvalidOption, "adopt must be %s, %s or a revision", AdoptAuto, AdoptNever)
		}
	}
	if options.Expect == "" {
		return r, nil
	}
	expected, err := options.resolve("the expected revision", options.Expect)
	if err != nil {
		return nil, classify(err)
	}
	r.expected = &expected
	return r, nil
}

func engineOf(d dburl.Database) (bundle.Engine, error) {
	switch d.Engine {
	case dburl.Postgres:
		return bundle.Postgres, nil
	case dburl.SQLite:
		return bundle.SQLite, nil
	}
	return "", fmt.Errorf("%q is no engine", d.Engine)
}
