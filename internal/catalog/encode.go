package catalog

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/schemagate/schemagate/internal/bundle"
)

// Encode writes histories as the file that LoadSet reads. The same histories
// give the same bytes. A description of a table stands on a line of its own and
// never changes, so a new revision only adds lines.
func (h Histories) Encode(w io.Writer, engine bundle.Engine) error {
	e := &encoder{lines: map[string][]string{}, seen: map[string]bool{}}
	births := slices.Sorted(maps.Keys(h))
	deltas := make(map[bundle.Birth][]string)
	for _, birth := range births {
		before := &Catalog{}
		for _, version := range slices.Sorted(maps.Keys(h[birth])) {
			line, err := e.delta(version, before, h[birth][version])
			if err != nil {
				return fmt.Errorf("encoding the catalog of birth %s at revision %d: %w", birth, version, err)
			}
			deltas[birth] = append(deltas[birth], line)
			before = h[birth][version]
		}
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "{\n \"format\": %d,\n \"engine\": %s,\n \"tables\": {", formatVersion, strconv.Quote(string(engine)))
	writeBlocks(&out, slices.Sorted(maps.Keys(e.lines)), e.lines, "{", "}")
	out.WriteString("\n },\n \"births\": {")
	writeBlocks(&out, births, deltas, "[", "]")
	out.WriteString("\n }\n}\n")
	_, err := w.Write(out.Bytes())
	return err
}

// writeBlocks writes members of an object, each a list of lines.
func writeBlocks[K ~string](out *bytes.Buffer, keys []K, lines map[K][]string, open, end string) {
	for i, key := range keys {
		if i > 0 {
			out.WriteByte(',')
		}
		name, err := compact(string(key))
		if err != nil {
			panic(err) // A string can always be encoded.
		}
		fmt.Fprintf(out, "\n  %s: %s\n   %s\n  %s", name, open, strings.Join(lines[key], ",\n   "), end)
	}
}

// encoder collects the descriptions of tables in the order of their first
// appearance.
type encoder struct {
	lines map[string][]string
	seen  map[string]bool
}

func (e *encoder) delta(version int, before, after *Catalog) (string, error) {
	d := delta{Revision: version, Tables: map[string]string{}}
	for _, name := range names(before.Tables, after.Tables) {
		if after.Tables[name] == nil {
			d.Dropped = append(d.Dropped, name)
			continue
		}
		sum, err := e.table(name, after.Tables[name])
		if err != nil {
			return "", err
		}
		old := ""
		if before.Tables[name] != nil {
			if old, err = e.table(name, before.Tables[name]); err != nil {
				return "", err
			}
		}
		if sum != old {
			d.Tables[name] = sum
		}
	}
	// An empty list has to be one: null would mean no change.
	if !slices.Equal(before.Sequences, after.Sequences) {
		list := append([]Sequence{}, after.Sequences...)
		d.Sequences = &list
	}
	if !slices.Equal(before.Views, after.Views) {
		list := append([]View{}, after.Views...)
		d.Views = &list
	}
	return compact(d)
}

// table notes the description of a table and returns its checksum.
func (e *encoder) table(name string, t *Table) (string, error) {
	bare := *t
	bare.Columns = slices.Clone(t.Columns)
	for i := range bare.Columns {
		bare.Columns[i].Position = 0 // told by the order
	}
	line, err := compact(bare)
	if err != nil {
		return "", err
	}
	full := sha256.Sum256([]byte(line))
	sum := hex.EncodeToString(full[:6])
	if !e.seen[name+"\x00"+sum] {
		e.seen[name+"\x00"+sum] = true
		e.lines[name] = append(e.lines[name], strconv.Quote(sum)+": "+line)
	}
	return sum, nil
}

// compact encodes on one line and leaves the characters of SQL as they are.
func compact(v any) (string, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return "", err
	}
	return strings.TrimSuffix(out.String(), "\n"), nil
}
