// Package migrate brings a database to a revision of a bundle and leaves it, at
// any moment, at one revision or the next, never between.
//
// golang-migrate reads the revisions in order and calls a database driver; the
// drivers for PostgreSQL and SQLite are this package's own. One transaction
// holds everything that belongs to a revision: its statements, the version, the
// history, the owner, and the application's own version tables. It also holds
// the migration lock, so the lock cannot outlive it, and whoever gets the lock
// looks at the database again before doing anything.
//
// [New] makes a [Runner]; [Runner.Plan] looks, [Runner.Run] migrates. Both are
// for one use by one goroutine. The package knows nothing about Kubernetes.
package migrate
