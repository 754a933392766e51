// Package output writes what commands have to say, as text for people or as
// JSON for programs.
package output

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/schemagate/schemagate/internal/cmd/exit"
)

// Format is the form of a command's output.
type Format string

// The formats.
const (
	Text Format = "text"
	JSON Format = "json"
)

// Add defines the flag --output on a command.
func (f *Format) Add(cmd *cobra.Command) {
	*f = Text
	cmd.Flags().VarP(f, "output", "o", "form of the output: text or json")
}

// String implements pflag.Value.
func (f *Format) String() string { return string(*f) }

// Type implements pflag.Value.
func (f *Format) Type() string { return "format" }

// Set implements pflag.Value.
func (f *Format) Set(s string) error {
	switch Format(s) {
	case Text, JSON:
		*f = Format(s)
		return nil
	}
	return errors.New("want text or json")
}

// WriteJSON writes a value as one indented JSON document.
func WriteJSON(w io.Writer, v any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(v); err != nil {
		return fmt.Errorf("writing JSON: %w", err)
	}
	return nil
}

// IsTerminal reports whether a reader or writer is a terminal. Other devices, such as
// /dev/null, are none.
func IsTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// NoArgs refuses arguments without repeating them: one of them may be a URL
// that lacks its flag.
func NoArgs(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return exit.Usage(errors.New("unexpected arguments; see --help"))
	}
	return nil
}
