package main

import (
	"archive/tar"
	"bytes"
	"encoding/pem"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// rootsPath is where Debian has it, and Go programs look for it first.
const rootsPath = "/etc/ssl/certs/ca-certificates.crt"

const (
	programMode   = 0o755
	plainMode     = 0o644
	directoryMode = 0o755
	temporaryMode = 0o1777
)

// baseLayer holds what is the same on all platforms.
func baseLayer(o options) (v1.Layer, error) {
	return newLayer(o.created, func(t *tree) error {
		t.addContent(rootsPath, roots(), plainMode)
		// Go's os/user, and with it libraries that ask who they are, read these.
		t.addContent("/etc/passwd", fmt.Appendf(nil,
			"root:x:0:0:root:/:/sbin/nologin\nnonroot:x:%d:%d:nonroot:/tmp:/sbin/nologin\n", user, user), plainMode)
		t.addContent("/etc/group", fmt.Appendf(nil, "root:x:0:\nnonroot:x:%d:\n", user), plainMode)
		t.entries["/tmp"] = entry{mode: temporaryMode, directory: true}
		return t.addFiles(o.files, func(f file) bool { return f.platform == nil })
	})
}

// programLayer holds what differs by platform.
func programLayer(o options, b executable) (v1.Layer, error) {
	return newLayer(o.created, func(t *tree) error {
		err := t.addFiles(o.files, func(f file) bool { return f.platform != nil && f.platform.Equals(b.platform) })
		if err != nil {
			return err
		}
		return t.addFile(b.path, o.entrypoint, programMode)
	})
}

// roots returns the certificate authorities that Mozilla trusts, as PEM. They
// come from a Go module, whose version and checksum go.mod and go.sum pin, and
// not from the machine that builds, so that images do not differ by machine.
// Authorities that Mozilla trusts only in part are left out, because a file
// cannot say so.
func roots() []byte {
	var certificates [][]byte
	for root := range bundle.Roots() {
		if root.Constraint == nil {
			certificates = append(certificates, root.Certificate)
		}
	}
	slices.SortFunc(certificates, bytes.Compare)
	var file bytes.Buffer
	for _, certificate := range certificates {
		file.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate}))
	}
	return file.Bytes()
}

// tree is the content of a layer by absolute path.
type tree struct {
	entries map[string]entry
}

type entry struct {
	content   []byte
	mode      int64
	directory bool
}

func (t *tree) addContent(target string, content []byte, mode int64) {
	t.entries[target] = entry{content: content, mode: mode}
}

func (t *tree) addFile(source, target string, mode int64) error {
	content, err := os.ReadFile(source)
	if err != nil {
		return err
	}
	t.addContent(target, content, mode)
	return nil
}

// addFiles adds those that are wanted.
func (t *tree) addFiles(files []file, wanted func(file) bool) error {
	for _, f := range files {
		if !wanted(f) {
			continue
		}
		if err := t.addAll(f.source, f.target); err != nil {
			return fmt.Errorf("adding %s: %w", f.source, err)
		}
	}
	return nil
}

// addAll adds a file, or a directory with all that is in it. Of the
// permissions only "executable" is kept: the rest depends on the umask under
// which the sources were checked out.
func (t *tree) addAll(source, target string) error {
	return filepath.WalkDir(source, func(found string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if !info.Mode().IsRegular() {
			return fmt.Errorf("%s is neither a file nor a directory", found)
		}
		mode := int64(plainMode)
		if info.Mode()&0o100 != 0 {
			mode = programMode
		}
		relative, err := filepath.Rel(source, found)
		if err != nil {
			return err
		}
		return t.addFile(found, path.Join(target, filepath.ToSlash(relative)), mode)
	})
}

// newLayer makes a layer of what fill adds. Everything belongs to root, so
// that the program cannot change it.
func newLayer(created time.Time, fill func(*tree) error) (v1.Layer, error) {
	t := &tree{entries: map[string]entry{}}
	if err := fill(t); err != nil {
		return nil, err
	}
	archive, err := t.tar(created)
	if err != nil {
		return nil, err
	}
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(archive)), nil }
	return tarball.LayerFromOpener(open, tarball.WithMediaType(types.OCILayer))
}

// tar writes the entries in order, with the directories they need before them.
func (t *tree) tar(created time.Time) ([]byte, error) {
	for target := range t.entries {
		for dir := path.Dir(target); dir != "/"; dir = path.Dir(dir) {
			if existing, ok := t.entries[dir]; ok && !existing.directory {
				return nil, fmt.Errorf("%s is needed as a directory and is a file", dir)
			}
			if _, ok := t.entries[dir]; !ok {
				t.entries[dir] = entry{mode: directoryMode, directory: true}
			}
		}
	}
	var archive bytes.Buffer
	writer := tar.NewWriter(&archive)
	for _, target := range slices.Sorted(maps.Keys(t.entries)) {
		e := t.entries[target]
		header := &tar.Header{
			Name:     strings.TrimPrefix(target, "/"),
			Mode:     e.mode,
			Size:     int64(len(e.content)),
			ModTime:  created,
			Typeflag: tar.TypeReg,
			Format:   tar.FormatPAX,
		}
		if e.directory {
			header.Name += "/"
			header.Typeflag = tar.TypeDir
		}
		if err := writer.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := writer.Write(e.content); err != nil {
			return nil, err
		}
	}
	if err := writer.Close(); err != nil {
		return nil, err
	}
	return archive.Bytes(), nil
}
