// Package version is the command that says what this program is.
package version

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/schemagate/schemagate/internal/cmd/output"
	"github.com/schemagate/schemagate/internal/version"
)

// NewCmd returns the command.
func NewCmd() *cobra.Command {
	var format output.Format
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version of this program",
		Args:  output.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if format == output.JSON {
				return output.WriteJSON(cmd.OutOrStdout(), version.Get())
			}
			_, err := fmt.Fprintln(cmd.OutOrStdout(), version.Version())
			return err
		},
	}
	format.Add(cmd)
	return cmd
}
