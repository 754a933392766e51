// The program operator is the real one but for its time of day, which tests make
// jump: that of the machine belongs to everybody on it.
package main

import (
	"context"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/schemagate/schemagate/internal/cmd/manager"
	"github.com/schemagate/schemagate/internal/cmd/root"
)

// offsetEnv names a file that holds by how much the time differs from the real
// one, as a Go duration; while there is none it does not.
const offsetEnv = "CLOCK_OFFSET_FILE"

// jumpingClock reads its offset each time that it is asked.
type jumpingClock struct{ file string }

func (c jumpingClock) Now() time.Time {
	content, err := os.ReadFile(c.file)
	if err != nil {
		return time.Now()
	}
	offset, err := time.ParseDuration(strings.TrimSpace(string(content)))
	if err != nil {
		panic(err) // a mistake of the test's
	}
	return time.Now().Add(offset)
}

func (c jumpingClock) Since(t time.Time) time.Duration { return c.Now().Sub(t) }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	cmd := manager.NewCmd(func(options *manager.Options) { options.Clock = jumpingClock{file: os.Getenv(offsetEnv)} })
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	os.Exit(root.Run(ctx, cmd, os.Args[1:], os.Stdout, os.Stderr))
}
