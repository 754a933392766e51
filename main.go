// Schemagate keeps the database of an application at the schema that its pods
// need.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/schemagate/schemagate/internal/cmd/root"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal rolls back and ends; a second one is not waited for.
	context.AfterFunc(ctx, stop)
	cmd, args := root.ForProgram(os.Args)
	os.Exit(root.Run(ctx, cmd, args, os.Stdout, os.Stderr))
}
