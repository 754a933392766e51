package main

import (
	"archive/tar"
	"archive/zip"
	"cmp"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// entry is a file of an archive.
type entry struct {
	source, target string
	mode           fs.FileMode

	// content takes the place of a source.
	content []byte
}

func (e entry) read() ([]byte, error) {
	if e.source == "" {
		return e.content, nil
	}
	return os.ReadFile(e.source)
}

// entriesOf returns the files below a directory, for below another.
func entriesOf(dir, target string) ([]entry, error) {
	var out []entry
	err := filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		relative, err := filepath.Rel(dir, file)
		out = append(out, entry{source: file, target: path.Join(target, filepath.ToSlash(relative)), mode: 0o644})
		return err
	})
	return out, err
}

// pack writes an archive whose bytes follow from the files' content and names and
// the commit's time alone. What it is follows from its name.
func (r *release) pack(file string, entries []entry) (err error) {
	slices.SortFunc(entries, func(a, b entry) int { return cmp.Compare(a.target, b.target) })
	out, err := os.Create(r.artifact(file))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	at := time.Unix(r.epoch, 0).UTC()
	switch {
	case strings.HasSuffix(file, ".zip"):
		return packZip(out, entries, at)
	case strings.HasSuffix(file, ".tar"):
		return packTar(out, entries, at)
	}
	compressed, err := gzip.NewWriterLevel(out, gzip.BestCompression)
	if err != nil {
		return err
	}
	return errors.Join(packTar(compressed, entries, at), compressed.Close())
}

func packTar(w io.Writer, entries []entry, at time.Time) error {
	archive := tar.NewWriter(w)
	for _, e := range entries {
		content, err := e.read()
		if err != nil {
			return err
		}
		header := &tar.Header{Name: e.target, Mode: int64(e.mode), Size: int64(len(content)), ModTime: at, Format: tar.FormatPAX}
		if err := archive.WriteHeader(header); err != nil {
			return err
		}
		if _, err := archive.Write(content); err != nil {
			return err
		}
	}
	return archive.Close()
}

func packZip(w io.Writer, entries []entry, at time.Time) error {
	archive := zip.NewWriter(w)
	for _, e := range entries {
		content, err := e.read()
		if err != nil {
			return err
		}
		header := &zip.FileHeader{Name: e.target, Method: zip.Deflate, Modified: at}
		header.SetMode(e.mode)
		part, err := archive.CreateHeader(header)
		if err != nil {
			return err
		}
		if _, err := part.Write(content); err != nil {
			return err
		}
	}
	return archive.Close()
}

// digestOf returns the digest that an OCI layout's index.json names.
func digestOf(index []byte) (string, error) {
	var content struct {
		Manifests []struct {
			Digest string `json:"digest"`
		} `json:"manifests"`
	}
	if err := json.Unmarshal(index, &content); err != nil {
		return "", err
	}
	if len(content.Manifests) != 1 {
		return "", fmt.Errorf("the image layout names %d images, want 1", len(content.Manifests))
	}
	return content.Manifests[0].Digest, nil
}

// checksumFile lists the others as sha256sum does.
const checksumFile = "checksums.txt"

func sum(file string) (string, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	digest := sha256.Sum256(content)
	return hex.EncodeToString(digest[:]), nil
}
