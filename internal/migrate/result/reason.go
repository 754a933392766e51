package result

// Reason is the machine-readable cause of an outcome. Reasons are stable.
type Reason string

// Reasons of Usage.
const (
	// ReasonInvalidOption: a flag or option has no meaning or contradicts
	// another one.
	ReasonInvalidOption Reason = "InvalidOption"
	// ReasonInvalidURL: the database URL cannot be read or asks for something
	// unsupported.
	ReasonInvalidURL Reason = "InvalidURL"
	// ReasonUnknownTarget: the target is no revision, id or application
	// version of the bundle.
	ReasonUnknownTarget Reason = "UnknownTarget"
)

// Reasons of Transient.
const (
	// ReasonUnreachable: no connection, or it was lost and could not be made
	// again in time.
	ReasonUnreachable Reason = "Unreachable"
	// ReasonServerBusy: the server starts, stops or is out of resources.
	ReasonServerBusy Reason = "ServerBusy"
	// ReasonReadOnly: the server is a standby or read-only.
	ReasonReadOnly Reason = "ReadOnly"
	// ReasonAuthentication: the server does not accept the user, the password
	// or the certificate.
	ReasonAuthentication Reason = "Authentication"
	// ReasonDatabaseMissing: the database, or the schema in it, does not exist.
	ReasonDatabaseMissing Reason = "DatabaseMissing"
	// ReasonInterrupted: the run was asked to stop and rolled back.
	ReasonInterrupted Reason = "Interrupted"
	// ReasonStatementTimeout: a statement ran for longer than allowed.
	ReasonStatementTimeout Reason = "StatementTimeout"
	// ReasonDatabaseInUse: others use the database, and a revision needs it
	// alone.
	ReasonDatabaseInUse Reason = "DatabaseInUse"
	// ReasonChangedMeanwhile: other runners kept changing the database while
	// this one planned.
	ReasonChangedMeanwhile Reason = "ChangedMeanwhile"
)

// Reasons of Permanent.
const (
	// ReasonSQLError: a statement of a revision failed.
	ReasonSQLError Reason = "SQLError"
	// ReasonStepFailed: a Go step failed.
	ReasonStepFailed Reason = "StepFailed"
	// ReasonPermissionDenied: the role lacks a privilege.
	ReasonPermissionDenied Reason = "PermissionDenied"
	// ReasonBundleInvalid: files of the bundle cannot be read or contradict
	// themselves.
	ReasonBundleInvalid Reason = "BundleInvalid"
	// ReasonBodyMismatch: what was read from the source is not what was
	// planned.
	ReasonBodyMismatch Reason = "BodyMismatch"
	// ReasonFileMissing: a revision on the way has no file for this engine,
	// birth and direction.
	ReasonFileMissing Reason = "FileMissing"
	// ReasonChecksumMismatch: an applied revision is not the one in the bundle.
	ReasonChecksumMismatch Reason = "ChecksumMismatch"
	// ReasonRevisionMissing: a revision below the applied one was never
	// applied.
	ReasonRevisionMissing Reason = "RevisionMissing"
	// ReasonAheadOfBundle: the database is at a revision that this bundle does
	// not have.
	ReasonAheadOfBundle Reason = "AheadOfBundle"
	// ReasonDirty: another tool left its dirty mark.
	ReasonDirty Reason = "Dirty"
	// ReasonVersionChangedByOthers: version table and history, or the
	// application's own table, disagree.
	ReasonVersionChangedByOthers Reason = "VersionChangedByOthers"
	// ReasonUnknownDatabase: the database is not empty and not recognized.
	ReasonUnknownDatabase Reason = "UnknownDatabase"
	// ReasonCatalogDiffers: the database is not what its revision promises.
	ReasonCatalogDiffers Reason = "CatalogDiffers"
	// ReasonOwnObject: a view, an index, a trigger or a column of the user's does
	// not survive a revision.
	ReasonOwnObject Reason = "OwnObject"
	// ReasonForeignKeys: a revision left references to rows that do not exist.
	ReasonForeignKeys Reason = "ForeignKeys"
	// ReasonInternal: an error that has no reason of its own.
	ReasonInternal Reason = "Internal"
)

// Reasons of Refused.
const (
	// ReasonPreflight: checks found rows that a revision cannot convert.
	ReasonPreflight Reason = "PreflightFailed"
	// ReasonDowngrade: the target is older and downgrades are not allowed.
	ReasonDowngrade Reason = "DowngradeForbidden"
	// ReasonUnexpectedRevision: the database is not where the caller expects it.
	ReasonUnexpectedRevision Reason = "UnexpectedRevision"
	// ReasonFencing: a pending revision is fencing, and the caller refuses those.
	ReasonFencing Reason = "FencingRevision"
	// ReasonDestructive: a pending revision is destructive, and the caller
	// refuses those.
	ReasonDestructive Reason = "DestructiveRevision"
	// ReasonDatabaseOwned: the database belongs to another owner.
	ReasonDatabaseOwned Reason = "DatabaseOwned"
	// ReasonDrifted: the database is not what its revision leaves, and the caller
	// refuses to migrate it.
	ReasonDrifted Reason = "Drifted"
	// ReasonAdoptionForbidden: the database would have to be adopted.
	ReasonAdoptionForbidden Reason = "AdoptionForbidden"
	// ReasonTransactionPooler: a revision needs a session of its own, which
	// a pooler in transaction mode cannot give.
	ReasonTransactionPooler Reason = "TransactionPooler"
)

// Reasons of Locked.
const (
	// ReasonTableLocked: other sessions hold a lock on a table.
	ReasonTableLocked Reason = "TableLocked"
	// ReasonMigrationLocked: another runner holds the migration lock.
	ReasonMigrationLocked Reason = "MigrationLocked"
	// ReasonDeadlock: the server ended the transaction to resolve a deadlock
	// or a conflict of serialization, again and again.
	ReasonDeadlock Reason = "Deadlock"
)
