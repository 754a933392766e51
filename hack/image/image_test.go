package main

import (
	"archive/tar"
	"bytes"
	"crypto/x509"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

const tag = "registry.example/team/hello:v1.2.3"

// program writes the smallest file that counts as a program of a machine.
func program(tb testing.TB, machine elf.Machine) string {
	tb.Helper()
	return programWith(tb, machine, elf.Prog64{Type: uint32(elf.PT_LOAD)})
}

func programWith(tb testing.TB, machine elf.Machine, segment elf.Prog64) string {
	tb.Helper()
	const headerSize, segmentSize = 64, 56
	header := elf.Header64{
		Type: uint16(elf.ET_EXEC), Machine: uint16(machine), Version: uint32(elf.EV_CURRENT),
		Ehsize: headerSize, Phoff: headerSize, Phentsize: segmentSize, Phnum: 1,
	}
	copy(header.Ident[:], elf.ELFMAG)
	header.Ident[elf.EI_CLASS] = byte(elf.ELFCLASS64)
	header.Ident[elf.EI_DATA] = byte(elf.ELFDATA2LSB)
	header.Ident[elf.EI_VERSION] = byte(elf.EV_CURRENT)
	var content bytes.Buffer
	for _, part := range []any{header, segment} {
		if err := binary.Write(&content, binary.LittleEndian, part); err != nil {
			tb.Fatal(err)
		}
	}
	path := filepath.Join(tb.TempDir(), machine.String())
	writeFile(tb, path, content.Bytes(), 0o755)
	return path
}

func writeFile(tb testing.TB, path string, content []byte, mode os.FileMode) {
	tb.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(path, content, mode); err != nil {
		tb.Fatal(err)
	}
}

func bothPlatforms(tb testing.TB) []string {
	tb.Helper()
	return []string{
		"-binary", "linux/amd64=" + program(tb, elf.EM_X86_64),
		"-binary", "linux/arm64=" + program(tb, elf.EM_AARCH64),
	}
}

// mustRun builds and returns the digest that it prints.
func mustRun(tb testing.TB, epoch string, args ...string) string {
	tb.Helper()
	var stdout, stderr strings.Builder
	if err := run(tb.Context(), append([]string{"build", "-tag", tag}, args...), epoch, &stdout, &stderr); err != nil {
		tb.Fatalf("%v\n%s", err, stderr.String())
	}
	digest, ok := strings.CutPrefix(strings.TrimSpace(stdout.String()), tag+" ")
	if !ok {
		tb.Fatalf("output %q does not begin with the tag", stdout.String())
	}
	return digest
}

func TestSameInputSameImage(t *testing.T) {
	t.Parallel()
	build := func(epoch string, age time.Duration, mode os.FileMode) (digest string, archive []byte) {
		source := filepath.Join(t.TempDir(), "docs")
		for _, file := range []string{"b/c", "a"} {
			writeFile(t, filepath.Join(source, file), []byte(file), mode)
			past := time.Now().Add(-age)
			if err := os.Chtimes(filepath.Join(source, file), past, past); err != nil {
				t.Fatal(err)
			}
		}
		out := filepath.Join(t.TempDir(), "new", "image.tar")
		digest = mustRun(t, epoch, append(bothPlatforms(t), "-out", out, "-file", source+"=/docs")...)
		archive, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		return digest, archive
	}
	firstDigest, firstArchive := build("86400", 0, 0o600)
	secondDigest, secondArchive := build("86400", time.Hour, 0o644)
	if firstDigest != secondDigest || !bytes.Equal(firstArchive, secondArchive) {
		t.Errorf("two builds gave %s and %s, archives equal: %t", firstDigest, secondDigest, bytes.Equal(firstArchive, secondArchive))
	}
	if later, _ := build("86401", 0, 0o600); later == firstDigest {
		t.Error("another SOURCE_DATE_EPOCH gave the same image")
	}
}

func TestLayout(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "oci")
	args := append(bothPlatforms(t), "-layout", dir, "-annotation", "org.opencontainers.image.version=v1.2.3=x")
	mustRun(t, "1", "-binary", args[1], "-layout", dir) // to be replaced
	digest := mustRun(t, "", args...)

	fresh := filepath.Join(t.TempDir(), "oci")
	mustRun(t, "", append(args, "-layout", fresh)...)
	if diff := cmp.Diff(blobs(t, fresh), blobs(t, dir)); diff != "" {
		t.Errorf("blobs of a layout that was replaced (-new +replaced):\n%s", diff)
	}

	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	if len(manifest.Manifests) != 1 || manifest.Manifests[0].Digest.String() != digest {
		t.Fatalf("layout refers to %v, want %s alone", manifest.Manifests, digest)
	}
	if diff := cmp.Diff(map[string]string{
		"org.opencontainers.image.ref.name": "v1.2.3", "io.containerd.image.name": tag,
	}, manifest.Manifests[0].Annotations); diff != "" {
		t.Errorf("names of the image (-want +got):\n%s", diff)
	}
	platforms, err := index.ImageIndex(manifest.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err = platforms.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, descriptor := range manifest.Manifests {
		got = append(got, descriptor.Platform.String())
		img, err := platforms.Image(descriptor.Digest)
		if err != nil {
			t.Fatal(err)
		}
		checkConfig(t, img, descriptor.Platform.String())
	}
	if diff := cmp.Diff([]string{"linux/amd64", "linux/arm64"}, got); diff != "" {
		t.Errorf("platforms (-want +got):\n%s", diff)
	}
}

func blobs(tb testing.TB, dir string) []string {
	tb.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "blobs", "*", "*"))
	if err != nil {
		tb.Fatal(err)
	}
	for i, path := range paths {
		paths[i] = filepath.Base(path)
	}
	return paths
}

func checkConfig(tb testing.TB, img v1.Image, platform string) {
	tb.Helper()
	config, err := img.ConfigFile()
	if err != nil {
		tb.Fatal(err)
	}
	if config.Platform().String() != platform || !config.Created.Equal(time.Unix(0, 0)) {
		tb.Errorf("configuration is for %s of %s, want %s of 1970", config.Platform(), config.Created, platform)
	}
	if diff := cmp.Diff(v1.Config{
		Entrypoint: []string{"/hello"},
		User:       "65532:65532",
		WorkingDir: "/",
		Env:        []string{"PATH=/", "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt"},
		Labels:     map[string]string{"org.opencontainers.image.version": "v1.2.3=x"},
	}, config.Config); diff != "" {
		tb.Errorf("configuration of %s (-want +got):\n%s", platform, diff)
	}
}

func TestContent(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "LICENSE"), []byte("license"), 0o644)
	writeFile(t, filepath.Join(dir, "tools", "run"), []byte("run"), 0o700)
	out := filepath.Join(dir, "image.tar")
	mustRun(t, "86400", append(bothPlatforms(t), "-out", out, "-entrypoint", "/programs/hello",
		"-file", filepath.Join(dir, "LICENSE")+"=/licenses/LICENSE", "-file", filepath.Join(dir, "tools")+"=/tools")...)

	got := map[string]string{}
	var roots []byte
	for header, content := range readArchive(t, out) {
		if header.Uid != 0 || header.Gid != 0 || !header.ModTime.Equal(time.Unix(86400, 0)) {
			t.Errorf("%s belongs to %d:%d and is of %s", header.Name, header.Uid, header.Gid, header.ModTime)
		}
		got[header.Name] = fmt.Sprintf("%o", header.Mode)
		switch header.Name {
		case "etc/ssl/certs/ca-certificates.crt":
			roots = content
		case "etc/passwd":
			if !strings.Contains(string(content), "\nnonroot:x:65532:65532:") {
				t.Errorf("passwd lacks the user:\n%s", content)
			}
		}
	}
	if diff := cmp.Diff(map[string]string{
		"etc": "755", "etc/group": "644", "etc/passwd": "644", "etc/ssl": "755", "etc/ssl/certs": "755",
		"etc/ssl/certs/ca-certificates.crt": "644", "programs": "755", "programs/hello": "755", "licenses": "755", "licenses/LICENSE": "644",
		"tmp": "1777", "tools": "755", "tools/run": "755",
	}, got); diff != "" {
		t.Errorf("files and modes (-want +got):\n%s", diff)
	}
	if pool := x509.NewCertPool(); !pool.AppendCertsFromPEM(roots) {
		t.Error("the certificate authorities cannot be read")
	}
	// Mozilla trusts more than a hundred; far fewer would mean that most got lost.
	if count := bytes.Count(roots, []byte("BEGIN CERTIFICATE")); count < 80 {
		t.Errorf("%d certificate authorities", count)
	}
}

// TestFilesOfOnePlatform: each image has its own, and those of all.
func TestFilesOfOnePlatform(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	args := append(bothPlatforms(t), "-layout", filepath.Join(dir, "oci"))
	for _, file := range []string{"amd64", "arm64", "all"} {
		writeFile(t, filepath.Join(dir, file), []byte("for "+file), 0o644)
	}
	args = append(args, "-file", filepath.Join(dir, "all")+"=/of/all",
		"-file", "linux/amd64="+filepath.Join(dir, "amd64")+"=/of/one", "-file", "linux/arm64="+filepath.Join(dir, "arm64")+"=/of/one")
	digest, err := v1.NewHash(mustRun(t, "", args...))
	if err != nil {
		t.Fatal(err)
	}

	index, err := layout.ImageIndexFromPath(filepath.Join(dir, "oci"))
	if err != nil {
		t.Fatal(err)
	}
	platforms, err := index.ImageIndex(digest)
	if err != nil {
		t.Fatal(err)
	}
	images, err := partial.FindImages(platforms, func(v1.Descriptor) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]map[string]string{}
	for _, img := range images {
		config, err := img.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		got[config.Architecture] = map[string]string{}
		for header, content := range readImage(t, img) {
			if strings.HasPrefix(header.Name, "of/") {
				got[config.Architecture][header.Name] = string(content)
			}
		}
	}
	if diff := cmp.Diff(map[string]map[string]string{
		"amd64": {"of/all": "for all", "of/one": "for amd64"},
		"arm64": {"of/all": "for all", "of/one": "for arm64"},
	}, got); diff != "" {
		t.Errorf("files by platform (-want +got):\n%s", diff)
	}
}

// readArchive returns the files in the layers of this machine's image.
func readArchive(tb testing.TB, path string) map[*tar.Header][]byte {
	tb.Helper()
	ref, err := name.NewTag(tag)
	if err != nil {
		tb.Fatal(err)
	}
	img, err := tarball.ImageFromPath(path, &ref)
	if err != nil {
		tb.Fatal(err)
	}
	config, err := img.ConfigFile()
	if err != nil {
		tb.Fatal(err)
	}
	if config.Architecture != runtime.GOARCH {
		tb.Errorf("archive holds the image for %s, want %s", config.Architecture, runtime.GOARCH)
	}
	return readImage(tb, img)
}

// readImage returns the files in the layers of an image.
func readImage(tb testing.TB, img v1.Image) map[*tar.Header][]byte {
	tb.Helper()
	files := map[*tar.Header][]byte{}
	for reader := tar.NewReader(mutate.Extract(img)); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			tb.Fatal(err)
		}
		if files[header], err = io.ReadAll(reader); err != nil {
			tb.Fatal(err)
		}
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	amd64, arm64 := program(t, elf.EM_X86_64), program(t, elf.EM_AARCH64)
	dynamic := programWith(t, elf.EM_X86_64, elf.Prog64{Type: uint32(elf.PT_INTERP)})
	writeFile(t, filepath.Join(dir, "precious", "file"), nil, 0o600)
	if err := os.Symlink("nowhere", filepath.Join(dir, "precious", "link")); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "image.tar")

	tests := map[string]struct {
		args  []string
		epoch string
		want  string
	}{
		"no verb":           {args: []string{"-tag", tag}, want: "usage"},
		"no tag":            {args: []string{"build", "-binary", amd64, "-out", out}, want: "-tag"},
		"tag of no version": {args: []string{"build", "-tag", "hello", "-binary", amd64, "-out", out}, want: "names no version"},
		"no binary":         {args: []string{"build", "-tag", tag, "-out", out}, want: "-binary is missing"},
		"nothing to write":  {args: []string{"build", "-tag", tag, "-binary", amd64}, want: "nothing to write"},
		"stray argument":    {args: []string{"build", "-tag", tag, "-binary", amd64, "-out", out, "x"}, want: `unexpected argument "x"`},
		"no time": {
			args: []string{"build", "-tag", tag, "-binary", "linux/amd64=" + amd64, "-out", out}, epoch: "now", want: "SOURCE_DATE_EPOCH",
		},
		"platform twice": {
			args: []string{"build", "-tag", tag, "-binary", "linux/amd64=" + amd64, "-binary", "linux/amd64=" + amd64, "-out", out},
			want: "two binaries",
		},
		"other architecture": {
			args: []string{"build", "-tag", tag, "-binary", "linux/amd64=" + arm64, "-out", out}, want: "the program is for EM_AARCH64",
		},
		"other system": {
			args: []string{"build", "-tag", tag, "-binary", "windows/amd64=" + amd64, "-out", out}, want: "not supported",
		},
		"dynamic": {
			args: []string{"build", "-tag", tag, "-binary", "linux/amd64=" + dynamic, "-out", out}, want: "CGO_ENABLED=0",
		},
		"no program": {
			args: []string{"build", "-tag", tag, "-binary", "linux/amd64=" + os.DevNull, "-out", out}, want: os.DevNull,
		},
		"relative entry point": {
			args: []string{"build", "-tag", tag, "-binary", amd64, "-out", out, "-entrypoint", "hello"}, want: "-entrypoint",
		},
		"file for no platform": {
			args: []string{"build", "-tag", tag, "-binary", "linux/amd64=" + amd64, "-out", out, "-file", "linux/arm64=" + arm64 + "=/a"},
			want: "for linux/arm64, which has no -binary",
		},
		"file for a platform that is none": {
			args: []string{"build", "-tag", tag, "-binary", amd64, "-out", out, "-file", "a/b/c/d=" + amd64 + "=/a"}, want: "a/b/c/d",
		},
		"relative target": {
			args: []string{"build", "-tag", tag, "-binary", amd64, "-out", out, "-file", "a=b"}, want: "source=/target",
		},
		"symbolic link": {
			args: []string{"build", "-tag", tag, "-binary", amd64, "-out", out, "-file", dir + "/precious=/p"}, want: "link is neither a file nor a directory",
		},
		"file as directory": {
			args: []string{"build", "-tag", tag, "-binary", amd64, "-out", out, "-file", amd64 + "=/etc"}, want: "/etc is needed as a directory",
		},
		"annotation without a value": {
			args: []string{"build", "-tag", tag, "-binary", amd64, "-out", out, "-annotation", "a"}, want: "key=value",
		},
		"directory of something else": {
			args: []string{"build", "-tag", tag, "-binary", "linux/amd64=" + amd64, "-layout", dir + "/precious"}, want: "something else",
		},
		"archive where a directory is": {
			args: []string{"build", "-tag", tag, "-binary", amd64, "-out", dir + "/precious"}, want: "precious",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := run(t.Context(), test.args, test.epoch, &strings.Builder{}, &strings.Builder{})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
		})
	}
	t.Cleanup(func() {
		if _, err := os.Stat(filepath.Join(dir, "precious", "file")); err != nil {
			t.Errorf("the file in the way: %v", err)
		}
		if leftovers, err := filepath.Glob(dir + "/*.*"); err != nil || len(leftovers) > 0 {
			t.Errorf("refused builds left %v (%v)", leftovers, err)
		}
	})
}
