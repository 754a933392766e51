package node

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// tailLines is how much of a log an error quotes.
const tailLines = 15

// quick is how long a wait may take without being worth a line.
const quick = 50 * time.Millisecond

// await asks until the probe is content, the component has ended or the
// context has. Its error quotes the component's log and names the remedy.
func (c *Cluster) await(ctx context.Context, what, component string, ask probe) error {
	if attempt(ctx, ask) == nil {
		return nil
	}
	step := c.Report.Step(what)
	ticker := time.NewTicker(quick)
	defer ticker.Stop()
	for {
		problem := attempt(ctx, ask)
		if problem == nil {
			step.Done()
			return nil
		}
		ended := c.hasEnded(ctx, component)
		if ended != "" {
			step.Failed()
			return c.explain(component, fmt.Errorf("%s has ended: %s", component, ended))
		}
		select {
		case <-ctx.Done():
			step.Failed()
			return c.explain(component, fmt.Errorf("%s: %w: %w", what, ctx.Err(), problem))
		case <-ticker.C:
		}
	}
}

func attempt(ctx context.Context, ask probe) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	return ask(ctx)
}

// hasEnded says how the component ended, or nothing while it runs. When the
// supervisor does not answer, the wait ends by its own timeout.
func (c *Cluster) hasEnded(ctx context.Context, component string) string {
	statuses, err := c.supervisor().Statuses(ctx)
	if err != nil {
		return ""
	}
	for _, status := range statuses {
		if status.Name == component {
			return status.Ended
		}
	}
	return ""
}

// explain adds the end of the component's log and what to do.
func (c *Cluster) explain(component string, problem error) error {
	path := c.Instance.Log(component)
	content, err := os.ReadFile(filepath.Clean(path))
	if err != nil {
		content = []byte(err.Error())
	}
	lines := strings.Split(string(bytes.TrimSpace(content)), "\n")
	if len(lines) > tailLines {
		lines = lines[len(lines)-tailLines:]
	}
	return fmt.Errorf("%w\nend of %s:\n  %s\nthe same command tries again; if it fails again, run down and then up for a new cluster",
		problem, path, strings.Join(lines, "\n  "))
}
