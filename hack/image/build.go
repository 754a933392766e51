package main

import (
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// user runs the program: "nonroot" by the convention of distroless images.
const user = 65532

// build makes the multi-platform image.
func build(o options) (v1.ImageIndex, error) {
	base, err := baseLayer(o)
	if err != nil {
		return nil, err
	}
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, b := range o.binaries {
		img, err := buildPlatform(o, b, base)
		if err != nil {
			return nil, fmt.Errorf("building for %s: %w", b.platform, err)
		}
		platform := b.platform
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add:        img,
			Descriptor: v1.Descriptor{Platform: &platform},
		})
	}
	annotated, ok := mutate.Annotations(index, o.annotations).(v1.ImageIndex)
	if !ok {
		return nil, errors.New("annotating an index did not give an index")
	}
	return annotated, nil
}

func buildPlatform(o options, b executable, base v1.Layer) (v1.Image, error) {
	if err := checkBinary(b); err != nil {
		return nil, fmt.Errorf("%s: %w", b.path, err)
	}
	program, err := programLayer(o, b)
	if err != nil {
		return nil, err
	}
	img, err := mutate.ConfigFile(mutate.MediaType(empty.Image, types.OCIManifestSchema1), &v1.ConfigFile{
		OS:           b.platform.OS,
		Architecture: b.platform.Architecture,
		Variant:      b.platform.Variant,
		Created:      v1.Time{Time: o.created},
		RootFS:       v1.RootFS{Type: "layers"},
		Config: v1.Config{
			Entrypoint: []string{o.entrypoint},
			User:       fmt.Sprintf("%d:%d", user, user),
			WorkingDir: "/",
			Env:        []string{"PATH=/", "SSL_CERT_FILE=" + rootsPath},
			Labels:     o.annotations,
		},
	})
	if err != nil {
		return nil, err
	}
	img = mutate.ConfigMediaType(img, types.OCIConfigJSON)
	img, err = mutate.Append(img,
		mutate.Addendum{Layer: base, History: o.history("certificate authorities, user, files")},
		mutate.Addendum{Layer: program, History: o.history("program, files of its platform")})
	if err != nil {
		return nil, err
	}
	annotated, ok := mutate.Annotations(img, o.annotations).(v1.Image)
	if !ok {
		return nil, errors.New("annotating an image did not give an image")
	}
	return annotated, nil
}

func (o options) history(what string) v1.History {
	return v1.History{Created: v1.Time{Time: o.created}, CreatedBy: "hack/image: " + what}
}

// checkBinary makes sure that the program can run in an image in which there
// is nothing else, on the platform it is said to be for.
func checkBinary(b executable) (err error) {
	machines := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}
	want, ok := machines[b.platform.Architecture]
	if !ok || b.platform.OS != "linux" {
		return fmt.Errorf("platform %s is not supported", b.platform)
	}
	program, err := elf.Open(b.path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, program.Close()) }()
	if program.Machine != want {
		return fmt.Errorf("the program is for %s, not for %s", program.Machine, b.platform)
	}
	for _, header := range program.Progs {
		if header.Type == elf.PT_INTERP {
			return errors.New("the program is linked dynamically; build it with CGO_ENABLED=0")
		}
	}
	return nil
}

// write writes what was asked for.
func write(ctx context.Context, o options, index v1.ImageIndex) error {
	if o.layout != "" {
		if err := writeLayout(o, index); err != nil {
			return fmt.Errorf("writing %s: %w", o.layout, err)
		}
	}
	if o.archive != "" {
		if err := writeArchive(ctx, o, index); err != nil {
			return fmt.Errorf("writing %s: %w", o.archive, err)
		}
	}
	return nil
}

// writeLayout replaces the layout: one that grew with every build would keep
// images that nobody asked for.
func writeLayout(o options, index v1.ImageIndex) error {
	if err := removeLayout(o.layout); err != nil {
		return err
	}
	target, err := layout.Write(o.layout, empty.Index)
	if err != nil {
		return err
	}
	return target.AppendIndex(index, layout.WithAnnotations(map[string]string{
		"io.containerd.image.name":          o.tag.String(),
		"org.opencontainers.image.ref.name": o.tag.TagStr(),
	}))
}

func removeLayout(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) || err == nil && len(entries) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(dir, "oci-layout")); err != nil {
		return errors.New("the directory holds something else than an OCI layout")
	}
	return os.RemoveAll(dir)
}

// writeArchive writes the image of this machine's platform; a docker-archive
// holds only one.
func writeArchive(ctx context.Context, o options, index v1.ImageIndex) (err error) {
	images, err := partial.FindImages(index, func(d v1.Descriptor) bool {
		return d.Platform != nil && d.Platform.Equals(localPlatform())
	})
	if err != nil {
		return err
	}
	if len(images) != 1 {
		return fmt.Errorf("there is no binary for %s", localPlatform())
	}
	if err := os.MkdirAll(filepath.Dir(o.archive), 0o750); err != nil {
		return err
	}
	// By way of a temporary file, so that nobody loads half of it.
	partialFile, err := os.CreateTemp(filepath.Dir(o.archive), filepath.Base(o.archive)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(partialFile.Name()))
		}
	}()
	err = errors.Join(tarball.Write(o.tag, images[0], partialFile), partialFile.Close(), ctx.Err())
	if err != nil {
		return err
	}
	return os.Rename(partialFile.Name(), o.archive)
}
