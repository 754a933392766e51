package build

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/schemagate/schemagate/hack/cluster/internal/instance"
	"github.com/schemagate/schemagate/hack/cluster/internal/progress"
)

// DefaultCacheRoot is ${XDG_CACHE_HOME:-~/.cache}/schemagate/cluster.
func DefaultCacheRoot() (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("locating the cache directory: %w", err)
	}
	return filepath.Join(dir, "schemagate", "cluster"), nil
}

// Ensure returns the programs of the source's versions, compiling them below
// cacheRoot first when they are not there. It is safe to call from several
// processes at once: one compiles, the others wait for it.
func Ensure(ctx context.Context, source Source, cacheRoot string, report *progress.Report) (Binaries, error) {
	key, err := source.key()
	if err != nil {
		return Binaries{}, err
	}
	cacheRoot, err = filepath.Abs(cacheRoot)
	if err != nil {
		return Binaries{}, fmt.Errorf("locating the cache directory: %w", err)
	}
	final := filepath.Join(cacheRoot, key, "bin")
	if complete(final) {
		return Binaries{Dir: final}, nil
	}
	unlock, err := instance.LockFile(ctx, filepath.Join(cacheRoot, key+".lock"), func() {
		report.Say("waiting for another build of the same programs")
	})
	if err != nil {
		return Binaries{}, err
	}
	defer unlock()
	if complete(final) {
		return Binaries{Dir: final}, nil
	}
	return Binaries{Dir: final}, buildAll(ctx, source, final, report)
}

// complete relies on the directory being renamed into place as a whole.
func complete(dir string) bool {
	info, err := os.Stat(dir)
	return err == nil && info.IsDir()
}

const temporaryPrefix = "bin-"

// removeAbandoned removes what a killed build left. The caller has the lock,
// so there is no other build.
func removeAbandoned(dir string) error {
	abandoned, err := filepath.Glob(filepath.Join(dir, temporaryPrefix+"*"))
	if err != nil {
		return fmt.Errorf("looking for abandoned builds: %w", err)
	}
	for _, each := range abandoned {
		if err := os.RemoveAll(each); err != nil {
			return fmt.Errorf("removing an abandoned build: %w", err)
		}
	}
	return nil
}

// buildAll compiles next to the final place and renames. What an interrupted
// run compiled is still in the cache of the go command.
func buildAll(ctx context.Context, source Source, final string, report *progress.Report) (err error) {
	started := time.Now()
	report.Say("compiling %s", source.Versions)
	report.Say("this is done once for these versions; on two cores it takes about ten minutes")
	if err := os.MkdirAll(filepath.Dir(final), 0o750); err != nil {
		return fmt.Errorf("creating the cache directory: %w", err)
	}
	if err := removeAbandoned(filepath.Dir(final)); err != nil {
		return err
	}
	temporary, err := os.MkdirTemp(filepath.Dir(final), temporaryPrefix)
	if err != nil {
		return fmt.Errorf("creating the cache directory: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temporary)) }()
	list := programs(source.Versions)
	for n, each := range list {
		step := report.Step(fmt.Sprintf("compiling %s (%d of %d)", each.name, n+1, len(list)))
		if err := compile(ctx, source.Dir, each, filepath.Join(temporary, each.name)); err != nil {
			step.Failed()
			return err
		}
		step.Done()
	}
	if err := os.Rename(temporary, final); err != nil {
		return fmt.Errorf("putting the programs in place: %w", err)
	}
	report.Say("compiled %d programs in %s", len(list), time.Since(started).Round(time.Second))
	return nil
}

func compile(ctx context.Context, dir string, p program, output string) error {
	args := slices.Insert(p.arguments(), 1, "-o", output)
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir, cmd.Env = dir, environment()
	var problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &problems, &problems
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("compiling %s: %w\n%s", p.name, err, strings.TrimSpace(problems.String()))
	}
	return nil
}
