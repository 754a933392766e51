package image

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// files reads a tar archive.
func files(t *testing.T, archive []byte) map[string][]byte {
	t.Helper()
	found := make(map[string][]byte)
	reader := tar.NewReader(bytes.NewReader(archive))
	for {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return found
		}
		if err != nil {
			t.Fatal(err)
		}
		// Any other time would make another archive of the same program.
		if !header.ModTime.Equal(created) {
			t.Errorf("%s is of %s, want %s", header.Name, header.ModTime, created)
		}
		content, err := io.ReadAll(reader)
		if err != nil {
			t.Fatal(err)
		}
		found[header.Name] = content
	}
}

func TestWriteArchive(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	single := Single{Reference: "schemagate.local/tool:1", Program: filepath.Join(dir, "tool"), User: "65532:65532"}
	if err := os.WriteFile(single.Program, []byte("program"), 0o600); err != nil {
		t.Fatal(err)
	}
	write := func(name string) []byte {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := single.WriteArchive(path); err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return content
	}
	archive := write("one.tar")
	if !bytes.Equal(archive, write("two.tar")) {
		t.Error("the same program makes different archives")
	}

	found := files(t, archive)
	var manifest []manifestRow
	if err := json.Unmarshal(found["manifest.json"], &manifest); err != nil || len(manifest) != 1 {
		t.Fatalf("manifest %s: %v", found["manifest.json"], err)
	}
	if diff := cmp.Diff([]string{single.Reference}, manifest[0].RepoTags); diff != "" {
		t.Errorf("unexpected names (-want +got):\n%s", diff)
	}
	layer := found[manifest[0].Layers[0]]
	if diff := cmp.Diff(map[string][]byte{"tool": []byte("program")}, files(t, layer)); diff != "" {
		t.Errorf("unexpected layer (-want +got):\n%s", diff)
	}
	var settings config
	if err := json.Unmarshal(found[manifest[0].Config], &settings); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(execution{User: "65532:65532", Entrypoint: []string{"/tool"}}, settings.Config); diff != "" {
		t.Errorf("unexpected execution (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"sha256:" + digest(layer)}, settings.RootFS.DiffIDs); diff != "" {
		t.Errorf("unexpected layer digest (-want +got):\n%s", diff)
	}
}

func TestSavedNames(t *testing.T) {
	t.Parallel()
	const output = "a.local/one:1           \tsaved\t\nb.local/two:2 saved\nc.local/th ree:3 \tsaved\n" +
		"application/vnd.oci.image.manifest.v1+json sha256:00\nImporting\telapsed: 0.1 s\ttotal:   0.0 B\n"
	if diff := cmp.Diff([]string{"a.local/one:1", "b.local/two:2", "c.local/th-ree:3"}, savedNames(output)); diff != "" {
		t.Errorf("unexpected names (-want +got):\n%s", diff)
	}
}
