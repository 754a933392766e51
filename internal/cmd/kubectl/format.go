package kubectl

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/schemagate/schemagate/internal/cmd/output"
)

// format is the form of the output, by the names that kubectl has for them.
type format struct {
	value   string
	allowed []string
}

// The forms. Without one a command writes text for people.
const (
	formatText = ""
	formatWide = "wide"
	formatJSON = "json"
	formatYAML = "yaml"
	formatName = "name"
)

// add defines the flag --output on a command.
func (f *format) add(cmd *cobra.Command, allowed ...string) {
	f.allowed = allowed
	cmd.Flags().VarP(f, "output", "o", "form of the output: "+strings.Join(allowed, ", ")+"; text when empty")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(allowed, cobra.ShellCompDirectiveNoFileComp))
}

// String implements pflag.Value.
func (f *format) String() string { return f.value }

// Type implements pflag.Value.
func (f *format) Type() string { return strings.Join(f.allowed, "|") }

// Set implements pflag.Value.
func (f *format) Set(value string) error {
	if !slices.Contains(f.allowed, value) {
		return errors.New("want one of " + strings.Join(f.allowed, ", "))
	}
	f.value = value
	return nil
}

// machine reports whether the output is for programs.
func (f *format) machine() bool { return f.value == formatJSON || f.value == formatYAML }

// encode writes a document as JSON or YAML.
func (f *format) encode(w io.Writer, document any) error {
	if f.value == formatJSON {
		return output.WriteJSON(w, document)
	}
	text, err := yaml.Marshal(document)
	if err != nil {
		return fmt.Errorf("writing YAML: %w", err)
	}
	_, err = w.Write(text)
	return err
}

// items is a document of several, as kubectl writes lists.
type items[T any] struct {
	Items []T `json:"items"`
}

// encodeAll writes one document where one was asked for, else a list.
func encodeAll[T any](f *format, w io.Writer, documents []T, single bool) error {
	if single {
		return f.encode(w, documents[0])
	}
	return f.encode(w, items[T]{Items: append([]T{}, documents...)})
}
