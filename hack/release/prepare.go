package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/semver"
)

// prepare checks that a version can be released from a checkout, and empties the
// directory that it goes to.
func prepare(ctx context.Context, root, out, version string, only []string) (*release, error) {
	if !semver.IsValid(version) || semver.Canonical(version) != version {
		return nil, fmt.Errorf("the version is %q: use a semantic version with a v, such as v0.1.0 or v0.1.0-rc.1", version)
	}
	r := &release{version: version}
	var err error
	if r.root, err = filepath.Abs(root); err != nil {
		return nil, err
	}
	if r.out, err = filepath.Abs(out); err != nil {
		return nil, err
	}
	if r.platforms, err = parsePlatforms(only); err != nil {
		return nil, err
	}
	if err := r.readCommit(ctx); err != nil {
		return nil, err
	}
	changelog, err := os.ReadFile(filepath.Join(r.root, "CHANGELOG.md"))
	if err != nil {
		return nil, err
	}
	if r.notes, err = section(string(changelog), strings.TrimPrefix(version, "v")); err != nil {
		return nil, err
	}
	if err := empty(r.out); err != nil {
		return nil, err
	}
	r.scratch, err = os.MkdirTemp("", "schemagate-release-")
	return r, err
}

func parsePlatforms(only []string) ([]platform, error) {
	var out []platform
	for _, text := range only {
		system, arch, found := strings.Cut(text, "/")
		if !found || !slices.Contains(strings.Split(platforms, ","), text) {
			return nil, fmt.Errorf("there is no platform %q: use some of %s", text, platforms)
		}
		out = append(out, platform{system, arch})
	}
	if !slices.ContainsFunc(out, func(p platform) bool { return p.os == "linux" }) {
		return nil, fmt.Errorf("the platforms %s hold none of Linux, which the image is for", strings.Join(only, ","))
	}
	return out, nil
}

// readCommit says what is released: a commit, and nothing besides. A tag of that
// name, if there is one, has to be its own.
func (r *release) readCommit(ctx context.Context) error {
	changes, err := r.output(ctx, "git", "status", "--porcelain")
	if err != nil {
		return err
	}
	if changes != "" {
		return fmt.Errorf("the checkout has changes that no commit has: commit or remove them\n%s", changes)
	}
	if r.commit, err = r.output(ctx, "git", "rev-parse", "HEAD"); err != nil {
		return err
	}
	tagged, err := r.output(ctx, "git", "for-each-ref", "--format=%(objectname) %(*objectname)", "refs/tags/"+r.version)
	if err != nil {
		return err
	}
	if tagged != "" && !slices.Contains(strings.Fields(tagged), r.commit) {
		return fmt.Errorf("the tag %s is of another commit than the one that is checked out, %s: check the tag out, or use another version", r.version, r.commit)
	}
	seconds, err := r.output(ctx, "git", "log", "-1", "--format=%ct")
	if err != nil {
		return err
	}
	r.epoch, err = strconv.ParseInt(seconds, 10, 64)
	return err
}

// section returns what the changelog says about a version.
func section(changelog, version string) (string, error) {
	var lines []string
	found := false
	for line := range strings.Lines(changelog) {
		if strings.HasPrefix(line, "## ") {
			if found {
				break
			}
			found = strings.HasPrefix(line, "## ["+version+"]")
			continue
		}
		if found {
			lines = append(lines, line)
		}
	}
	text := strings.TrimSpace(strings.Join(lines, ""))
	if text == "" {
		return "", fmt.Errorf("CHANGELOG.md has no section \"## [%s]\" with something in it: rename the section Unreleased", version)
	}
	return text + "\n", nil
}

// empty makes a directory that was made by an earlier release, or not at all.
func empty(dir string) error {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return os.MkdirAll(dir, 0o755) //nolint:gosec // a release is for everybody
	case err != nil:
		return err
	}
	earlier := slices.ContainsFunc(entries, func(entry os.DirEntry) bool { return entry.Name() == checksumFile })
	if len(entries) > 0 && !earlier {
		return fmt.Errorf("-out %s holds something else than a release: name an empty directory", dir)
	}
	for _, entry := range entries {
		if err := os.RemoveAll(filepath.Join(dir, entry.Name())); err != nil {
			return err
		}
	}
	return nil
}

// output runs a program in the checkout.
func (r *release) output(ctx context.Context, program string, args ...string) (string, error) {
	return r.outputWith(ctx, nil, program, args...)
}

func (r *release) outputWith(ctx context.Context, environment []string, program string, args ...string) (string, error) {
	command := exec.CommandContext(ctx, program, args...)
	command.Dir = r.root
	command.Env = append(os.Environ(), environment...)
	var stderr bytes.Buffer
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", program, strings.Join(args, " "), err, stderr.String())
	}
	return strings.TrimRight(string(out), "\n"), nil
}
