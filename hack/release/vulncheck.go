package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// defaultVulnDB is Go's own database.
const defaultVulnDB = "https://vuln.go.dev"

// reachTimeout bounds the first answer of the database.
const reachTimeout = 10 * time.Second

// vulncheck fails if the program in a directory calls what is known to be
// vulnerable; tool is hack/tool. Where the database cannot be reached, it says so and that nothing
// was checked.
func vulncheck(ctx context.Context, tool, dir, database string, log io.Writer) error {
	if err := reach(ctx, database); err != nil {
		_, err = fmt.Fprintf(log, "the vulnerability database %s cannot be reached, so NOTHING WAS CHECKED: %v\n", database, err)
		return err
	}
	command := exec.CommandContext(ctx, tool, "govulncheck", "-db", database, "-C", dir, "./...")
	output, err := command.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && exit.ExitCode() == vulnerable:
		return fmt.Errorf("the program calls what is vulnerable: update it\n%s", output)
	case err != nil:
		return fmt.Errorf("govulncheck: %w\n%s", err, output)
	}
	return nil
}

// vulnerable is the exit code of govulncheck that says so.
const vulnerable = 3

// reach asks a database for its index.
func reach(ctx context.Context, database string) error {
	u, err := url.Parse(database)
	if err != nil {
		return err
	}
	if u.Scheme == "file" {
		_, err := os.Stat(filepath.Join(u.Path, "index", "db.json"))
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(database, "/")+"/index/db.json", http.NoBody)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	if err := response.Body.Close(); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("it answers %s", response.Status)
	}
	return nil
}
