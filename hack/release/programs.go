package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// module is the path of the main module.
const module = "github.com/schemagate/schemagate"

// binary is where a platform's program is built.
func (r *release) binary(p platform) string {
	return filepath.Join(r.scratch, p.os+"-"+p.arch, p.program())
}

// licenses is where the licenses of everything in the program are collected.
func (r *release) licenses() string { return filepath.Join(r.scratch, "licenses") }

// programs compiles the program for all platforms, with the flags of "make build",
// and packs each with its license and those of what it is made from.
func (r *release) programs(ctx context.Context) error {
	if _, err := r.output(ctx, "hack/licenses", r.licenses()); err != nil {
		return err
	}
	for _, p := range r.platforms {
		_, err := r.outputWith(ctx, []string{"CGO_ENABLED=0", "GOOS=" + p.os, "GOARCH=" + p.arch},
			"go", append(r.buildFlags(), "-o", r.binary(p), ".")...)
		if err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
		tree := []entry{
			{source: r.binary(p), target: p.program(), mode: 0o755},
			{source: filepath.Join(r.root, "LICENSE"), target: "LICENSE", mode: 0o644},
		}
		licenses, err := entriesOf(r.licenses(), "licenses")
		if err != nil {
			return err
		}
		if err := r.pack(r.archive(p), append(tree, licenses...)); err != nil {
			return err
		}
		if err := r.sbom(p); err != nil {
			return fmt.Errorf("SBOM for %s: %w", p, err)
		}
	}
	return nil
}

// image packs the programs for Linux, as "make image" does.
func (r *release) image(ctx context.Context) error {
	layout := filepath.Join(r.scratch, "oci")
	args := []string{
		"-C", "hack/image", "run", ".", "build", "-tag", imageName + ":" + r.version, "-entrypoint", "/" + name,
		"-file", r.licenses() + "=/licenses", "-layout", layout,
	}
	for _, p := range r.images() {
		args = append(args, "-binary", p.String()+"="+r.binary(p), "-file", p.String()+"="+r.artifact(r.sbomFile(p))+"="+sbomInImage)
	}
	for _, annotation := range []string{
		"title=" + name, "description=Keeps pods from starting against a database schema they cannot use",
		"source=https://" + module, "licenses=Apache-2.0", "version=" + r.version, "revision=" + r.commit,
	} {
		args = append(args, "-annotation", "org.opencontainers.image."+annotation)
	}
	if _, err := r.outputWith(ctx, []string{fmt.Sprintf("SOURCE_DATE_EPOCH=%d", r.epoch)}, "go", args...); err != nil {
		return err
	}
	entries, err := entriesOf(layout, "")
	if err != nil {
		return err
	}
	return r.pack(r.imageArchive(), entries)
}

// buildFlags are those of the Makefile and the Dockerfile.
func (r *release) buildFlags() []string {
	prefix := "-X " + module + "/internal/version."
	linker := "-s -w " + prefix + "version=" + r.version + " " + prefix + "commit=" + r.commit + " " +
		prefix + "date=" + time.Unix(r.epoch, 0).UTC().Format("2006-01-02T15:04:05Z")
	return []string{"build", "-trimpath", "-buildvcs=false", "-ldflags", linker}
}

// imageName is where the image is published.
const imageName = "ghcr.io/schemagate/schemagate"

func (r *release) imageArchive() string {
	return fmt.Sprintf("%s_%s_image.oci.tar", name, r.version)
}

// digest returns that of the image's index.
func (r *release) digest() (string, error) {
	content, err := os.ReadFile(filepath.Join(r.scratch, "oci", "index.json"))
	if err != nil {
		return "", err
	}
	return digestOf(content)
}
