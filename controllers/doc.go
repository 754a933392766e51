// Package controllers holds the operator's two controllers: one works for
// DatabaseSchemas and runs their migrations in Jobs, the other opens the gates of
// pods that a schema serves. Both decide by internal/plan; what they need from
// the API server stands as a marker beside the call that needs it, and becomes a
// rule of the operator's role.
package controllers
