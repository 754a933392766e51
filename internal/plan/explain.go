package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/migrate/result"
)

// maxMessage is how long the message of a failed attempt gets, in bytes, the
// bound of status.attempt.message.
const maxMessage = 1000

// advice says for people what a reason means and what to do. The words are ours:
// nothing of what a server says leaves the migration pod.
var advice = map[result.Reason]string{
	result.ReasonInvalidOption: "The migration refused its settings. Use the same version of schemagate for the operator and for the migration Job.",
	result.ReasonInvalidURL:    "The database URL cannot be read. Correct the Secret that spec.database refers to.",
	result.ReasonUnknownTarget: "The program in the migration image does not know the target. Use the same version of schemagate for the operator and for the migration Job.",

	result.ReasonUnreachable:      "The database cannot be reached: no connection, or it was lost. Check host, port, network policies and TLS settings.",
	result.ReasonServerBusy:       "The database server is starting, stopping or out of resources.",
	result.ReasonReadOnly:         "The database server is read-only or a standby. Point spec.database at the primary.",
	result.ReasonAuthentication:   "The database server does not accept the user, the password or the certificate. Correct the Secret that spec.database refers to.",
	result.ReasonDatabaseMissing:  "The database, or the schema in it, does not exist. Create it, or correct its name.",
	result.ReasonInterrupted:      "The migration was asked to stop; what was not committed was rolled back.",
	result.ReasonStatementTimeout: "A statement ran for longer than spec.execution.statementTimeoutSeconds. Raise or remove the limit.",
	result.ReasonDatabaseInUse:    "Sessions of others stay connected to the database, and a pending revision needs it alone. End them, or name them in spec.rollout.ignoreSessions. A connection pooler keeps sessions of pods that are gone.",
	result.ReasonChangedMeanwhile: "Somebody else kept changing the database while the migration was planned.",

	result.ReasonSQLError:               "A statement of a revision failed; the revision was rolled back.",
	result.ReasonStepFailed:             "A step of a revision failed; the revision was rolled back.",
	result.ReasonPermissionDenied:       "The database user lacks a privilege. It needs CONNECT and TEMPORARY on the database, USAGE and CREATE on the schema, and must own the application's tables.",
	result.ReasonBundleInvalid:          "The revisions in the migration image cannot be read.",
	result.ReasonBodyMismatch:           "A revision that was read is not the one that was planned.",
	result.ReasonFileMissing:            "This version of schemagate has no file for a revision on the way. Install a newer one, or choose an older target.",
	result.ReasonChecksumMismatch:       "A revision was applied in another form than this version of schemagate has it.",
	result.ReasonRevisionMissing:        "A revision below the applied one was never applied to the database.",
	result.ReasonAheadOfBundle:          "The database is at a revision that this version of schemagate does not know. Install a newer one.",
	result.ReasonDirty:                  "Another tool left its dirty mark in the database. Repair the database, then clear the mark.",
	result.ReasonVersionChangedByOthers: "The application or another tool has changed the version that is recorded in the database. Set ENABLE_DB_MIGRATIONS=false in the application.",
	result.ReasonUnknownDatabase:        "The database is none that is known of this application, and was not changed. Point spec.database at the right one, with spec.database.schema if the tables are not in public.",
	result.ReasonCatalogDiffers:         "The database is not what its recorded revision promises: tables or columns differ.",
	result.ReasonOwnObject:              "A view, an index, a trigger or a column that is not the application's does not survive a revision. Change or drop it, then ask for another attempt.",
	result.ReasonForeignKeys:            "A revision left references to rows that do not exist; it was rolled back.",
	result.ReasonInternal:               "The migration failed for a reason that has no name of its own; see the log of its Job.",

	result.ReasonPreflight:          "Rows stand in the way of a pending revision; nothing was changed.",
	result.ReasonDowngrade:          "The database is newer than the target, and downgrades are not allowed.",
	result.ReasonUnexpectedRevision: "The database is not at the revision at which it was last seen.",
	result.ReasonFencing:            "A pending revision is fencing.",
	result.ReasonDestructive:        "A pending revision is destructive.",
	result.ReasonDatabaseOwned:      "Another DatabaseSchema owns the database. Delete that one, or set spec.policy.takeOwnership for as long as it takes.",
	result.ReasonDrifted:            "The database is not what its revision leaves, and spec.policy.drift is Block. Mend it, for example with `schemagate repair`, or set the policy to Warn.",
	result.ReasonAdoptionForbidden:  "Another tool has migrated the database, and spec.policy.adopt is Never.",
	result.ReasonTransactionPooler:  "A revision needs a session of its own, which a pooler in transaction mode cannot give. Connect to the server directly.",

	result.ReasonTableLocked:     "Other sessions hold a lock on a table for longer than allowed; nothing is half done.",
	result.ReasonMigrationLocked: "Another migration of this database is running.",
	result.ReasonDeadlock:        "The migration and other sessions kept each other waiting; nothing is half done.",
}

// Explain says for people why a migration failed and what to do about it. The
// queries that list the rows of failed checks come last, each whole or not at all:
// the text may be longer than a message, but never for them.
func Explain(res result.Result, b *bundle.Bundle, engine bundle.Engine) string {
	text, ok := advice[res.Reason]
	if !ok {
		text = fmt.Sprintf("The migration ended as %q, reason %q.", res.Outcome, res.Reason)
	}
	if res.Failure == nil {
		return text
	}
	text = strings.Join(append([]string{text}, details(res.Reason, *res.Failure, b)...), " ")
	for _, failed := range res.Failure.Checks {
		check, _, ok := findCheck(failed, b)
		if query := strings.TrimSpace(check.Query[engine]); ok && query != "" {
			if longer := text + " To see the rows of " + check.Name + ": " + query; len(longer) <= maxMessage {
				text = longer
			}
		}
	}
	return text
}

// findCheck returns the check of a bundle that has failed, and its revision.
func findCheck(failed result.Check, b *bundle.Bundle) (bundle.Check, bundle.Revision, bool) {
	revision, _ := b.Revision(failed.Revision)
	i := slices.IndexFunc(revision.Preflight, func(c bundle.Check) bool { return c.Name == failed.Name })
	if i < 0 {
		return bundle.Check{}, revision, false
	}
	return revision.Preflight[i], revision, true
}

func details(reason result.Reason, f result.Failure, b *bundle.Bundle) []string {
	var out []string
	if f.Revision > 0 {
		at := fmt.Sprintf("Revision %d", f.Revision)
		if revision, ok := b.Revision(f.Revision); ok {
			at += " (" + revision.ID + ")"
		}
		if f.Line > 0 {
			at += fmt.Sprintf(", %s file, line %d", f.Direction, f.Line)
		}
		out = append(out, at+".")
	}
	for _, check := range f.Checks {
		out = append(out, explainCheck(check, b))
	}
	for _, named := range []struct{ what, name string }{
		{"SQLSTATE", f.SQLState}, {"Table", f.Table}, {"Column", f.Column}, {"Constraint", f.Constraint}, {"Step", f.Step},
	} {
		if named.name != "" {
			out = append(out, named.what+" "+named.name+".")
		}
	}
	for _, blocker := range f.Blockers {
		if reason == result.ReasonDatabaseInUse {
			out = append(out, fmt.Sprintf("Connected are %d sessions of %q.", blocker.Count, blocker.Application))
			continue
		}
		out = append(out, fmt.Sprintf("Locks are held by %d sessions of %q.", blocker.Count, blocker.Application))
	}
	if len(f.Found) > 0 {
		out = append(out, "Found: "+strings.Join(f.Found, "; ")+".")
	}
	return out
}

func explainCheck(failed result.Check, b *bundle.Bundle) string {
	if check, revision, ok := findCheck(failed, b); ok {
		return fmt.Sprintf("Revision %d (%s): %d %s. %s", revision.Version, revision.ID, failed.Rows, check.Finds, check.Remedy)
	}
	return fmt.Sprintf("Check %s of revision %d finds %d rows.", failed.Name, failed.Revision, failed.Rows)
}

// cut shortens a text to a number of bytes, between characters.
func cut(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	end := limit - len("…")
	for end > 0 && text[end]&0xc0 == 0x80 {
		end--
	}
	return text[:end] + "…"
}
