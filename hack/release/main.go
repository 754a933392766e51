// Release builds everything that a release consists of, from a clean checkout and
// reproducibly: the same commit gives the same files on every machine.
//
//	release -version v0.1.0 -out ../../_out/release
//
// writes archives of the program for every platform with an SBOM each, the
// image as an OCI layout, manifests, the chart, the manifest for krew, notes and
// checksums. docs/releasing.md says what is what.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	if err := run(ctx, os.Args[1:]); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "release:", err)
		}
		os.Exit(1)
	}
}

// platforms are those that there is a program for; pods run the first two.
const platforms = "linux/amd64,linux/arm64,darwin/amd64,darwin/arm64,windows/amd64,windows/arm64"

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("release", flag.ContinueOnError)
	version := flags.String("version", "", "`version` to release, such as v0.1.0")
	root := flags.String("root", "../..", "`directory` of the checkout")
	out := flags.String("out", "", "`directory` to write; what is in it is removed")
	only := flags.String("platforms", platforms, "`list` of os/arch to build for, separated by commas")
	database := flags.String("vulndb", defaultVulnDB, "`URL` of the vulnerability database")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if *out == "" {
		return errors.New("-out is empty: name the directory to write")
	}
	r, err := prepare(ctx, *root, *out, *version, strings.Split(*only, ","))
	if err != nil {
		return err
	}
	if err := vulncheck(ctx, filepath.Join(r.root, "hack", "tool"), r.root, *database, os.Stderr); err != nil {
		return err
	}
	return r.build(ctx)
}

// release is what is built.
type release struct {
	root, out string // absolute
	scratch   string // absolute, for what is not part of the release
	version   string // with its v
	platforms []platform
	commit    string
	epoch     int64 // of the commit, in seconds
	notes     string

	recognized map[string]string // licenses of modules, once they are known
}

// platform is what a program runs on.
type platform struct{ os, arch string }

func (p platform) String() string { return p.os + "/" + p.arch }

// program is the name of the file.
func (p platform) program() string {
	if p.os == "windows" {
		return name + ".exe"
	}
	return name
}

// name of the program, the image and the chart.
const name = "schemagate"

// build makes the parts, each from what those before have made.
func (r *release) build(ctx context.Context) error {
	for _, step := range []struct {
		what string
		do   func(context.Context) error
	}{
		{"programs", r.programs},
		{"image", r.image},
		{"manifests", r.manifests},
		{"charts", r.packCharts},
		{"krew manifest", r.krew},
		{"notes", func(context.Context) error { return r.write("notes.md", []byte(r.notes)) }},
		{"checksums", r.checksums},
	} {
		if err := step.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", step.what, err)
		}
	}
	return os.RemoveAll(r.scratch)
}

// artifact is the path of a part of the release.
func (r *release) artifact(file string) string { return filepath.Join(r.out, file) }

func (r *release) write(file string, content []byte) error {
	return os.WriteFile(r.artifact(file), content, 0o644) //nolint:gosec // a release is for everybody
}

// archive is the name of a platform's archive.
func (r *release) archive(p platform) string {
	suffix := ".tar.gz"
	if p.os == "windows" {
		suffix = ".zip"
	}
	return fmt.Sprintf("%s_%s_%s_%s%s", name, r.version, p.os, p.arch, suffix)
}

// images are the platforms that the image is for.
func (r *release) images() []platform {
	return slices.DeleteFunc(slices.Clone(r.platforms), func(p platform) bool { return p.os != "linux" })
}
