// Package image makes container images without a container engine and loads
// them into a node.
package image

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

// Single describes an image that holds one static program and nothing else.
type Single struct {
	// Reference is the name and tag that pods use.
	Reference string
	// Program is the file that becomes the entry point.
	Program string
	// User runs it, as "uid:gid".
	User string
}

// created is the age of everything in an image, so that the same program makes
// the same image on every machine.
var created = time.Unix(0, 0).UTC()

// config is an image configuration as far as it is used here, see the OCI
// image specification.
type config struct {
	Created      time.Time    `json:"created"`
	Architecture string       `json:"architecture"`
	OS           string       `json:"os"`
	Config       execution    `json:"config"`
	RootFS       rootFS       `json:"rootfs"`
	History      []historyRow `json:"history"`
}

type execution struct {
	User       string
	Entrypoint []string
}

type rootFS struct {
	Type    string   `json:"type"`
	DiffIDs []string `json:"diff_ids"`
}

type historyRow struct {
	Created   time.Time `json:"created"`
	CreatedBy string    `json:"created_by"`
}

// manifestRow is the one row of a docker archive's manifest.json.
type manifestRow struct {
	Config   string
	RepoTags []string
	Layers   []string
}

// entry is one file of an archive.
type entry struct {
	name    string
	mode    int64
	content []byte
}

// WriteArchive writes the image to path as a docker archive, the form that
// docker save writes and every engine reads.
func (s Single) WriteArchive(path string) error {
	program, err := os.ReadFile(s.Program)
	if err != nil {
		return fmt.Errorf("reading the program of image %s: %w", s.Reference, err)
	}
	entryPoint := "/" + filepath.Base(s.Program)
	var layer bytes.Buffer
	if err := writeTar(&layer, entry{name: entryPoint[1:], mode: 0o755, content: program}); err != nil {
		return fmt.Errorf("writing the layer of image %s: %w", s.Reference, err)
	}
	layerDigest := digest(layer.Bytes())
	settings, err := json.Marshal(config{
		Created: created, Architecture: runtime.GOARCH, OS: "linux",
		Config:  execution{User: s.User, Entrypoint: []string{entryPoint}},
		RootFS:  rootFS{Type: "layers", DiffIDs: []string{"sha256:" + layerDigest}},
		History: []historyRow{{Created: created, CreatedBy: "schemagate hack/cluster"}},
	})
	if err != nil {
		return fmt.Errorf("encoding the configuration of image %s: %w", s.Reference, err)
	}
	configName, layerName := digest(settings)+".json", layerDigest+"/layer.tar"
	manifest, err := json.Marshal([]manifestRow{{Config: configName, RepoTags: []string{s.Reference}, Layers: []string{layerName}}})
	if err != nil {
		return fmt.Errorf("encoding the manifest of image %s: %w", s.Reference, err)
	}
	return writeFile(path,
		entry{name: "manifest.json", mode: 0o644, content: manifest},
		entry{name: configName, mode: 0o644, content: settings},
		entry{name: layerName, mode: 0o644, content: layer.Bytes()},
	)
}

func writeFile(path string, entries ...entry) (err error) {
	file, err := os.Create(filepath.Clean(path))
	if err != nil {
		return fmt.Errorf("creating image archive %s: %w", path, err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if err := writeTar(file, entries...); err != nil {
		return fmt.Errorf("writing image archive %s: %w", path, err)
	}
	return nil
}

func writeTar(out io.Writer, entries ...entry) error {
	writer := tar.NewWriter(out)
	for _, each := range entries {
		header := &tar.Header{Name: each.name, Mode: each.mode, Size: int64(len(each.content)), ModTime: created, Typeflag: tar.TypeReg}
		if err := writer.WriteHeader(header); err != nil {
			return err
		}
		if _, err := writer.Write(each.content); err != nil {
			return err
		}
	}
	return writer.Close()
}

func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}
