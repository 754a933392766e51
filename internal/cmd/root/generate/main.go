// Command generate writes the reference of the commands and their flags. Its
// argument is the file.
package main

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/schemagate/schemagate/internal/cmd/connection"
	"github.com/schemagate/schemagate/internal/cmd/root"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "generating the reference of the flags:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("want one argument, the file to write, got %d", len(args))
	}
	return os.WriteFile(args[0], reference(root.NewCmd()), 0o644) //nolint:gosec // documents are public, like the sources beside them
}

const head = `<!-- Generated from internal/cmd by go generate. Do not edit. -->

# Flags

All commands with all their flags. What the commands are for is on the pages
[Command line](../command-line.md), [kubectl schemagate](../guides/kubectl.md) and
[Operations](../operations.md#running-the-operator); the codes that they end with are
[exit codes](exit-codes.md).

Every command has ` + "`-h`, `--help`" + `. A flag that takes no value is switched off with
` + "`=false`" + `. Where no default is given, it is nothing, or off.

`

const environment = `## Environment variables

Settings are flags. The environment has what a flag must not show, or what other
programs agree on.

| variable | of which commands | what it is |
| --- | --- | --- |
| ` + "`" + connection.EnvURL + "`" + ` | those that open a database | the URL, where ` + "`--database-url`" + ` is not given |
| ` + "`" + connection.EnvUser + "`" + ` | the same, with ` + "`--database-host`" + ` | the role, where ` + "`--database-user`" + ` is not given |
| ` + "`" + connection.EnvPassword + "`" + ` | the same, with ` + "`--database-host`" + ` | the password; it has no flag, because the arguments of a process are for everyone to see |
| ` + "`KUBECONFIG`" + ` | ` + "`manager`, `kubectl`" + ` | which cluster; in a pod, ` + "`manager`" + ` takes its own |
| ` + "`NO_COLOR`" + `, ` + "`TERM=dumb`" + ` | ` + "`kubectl`" + ` | no colors on a terminal |
| ` + "`OTEL_…`" + `, ` + "`TRACEPARENT`" + ` | ` + "`manager`, `migrate`" + ` | OpenTelemetry's own: see [traces](../guides/monitoring.md#traces) |

PostgreSQL's variables, such as ` + "`PGHOST`" + `, are not read.
`

// reference is the page.
func reference(all *cobra.Command) []byte {
	var out bytes.Buffer
	out.WriteString(head)
	common := shared(all)
	out.WriteString("## Commands that open a database\n\nThese flags are the same for " + list(opening(all)) + ".\n\n")
	table(&out, common)
	document(&out, all, common)
	out.WriteString(environment)
	return out.Bytes()
}

// opening are the commands that open a database.
func opening(cmd *cobra.Command) []string {
	var out []string
	for _, child := range cmd.Commands() {
		if child.Flags().Lookup("database-url") != nil {
			out = append(out, "`"+child.Name()+"`")
		}
	}
	return out
}

// shared are the flags that all of those have.
func shared(cmd *cobra.Command) []*pflag.Flag {
	count := map[string]int{}
	var last *cobra.Command
	for _, child := range cmd.Commands() {
		if child.Flags().Lookup("database-url") == nil {
			continue
		}
		last = child
		for _, flag := range own(child) {
			count[flag.Name+flag.DefValue+flag.Usage]++
		}
	}
	return slices.DeleteFunc(own(last), func(flag *pflag.Flag) bool {
		return count[flag.Name+flag.DefValue+flag.Usage] != len(opening(cmd))
	})
}

// own are the flags of a command itself, but for those that are hidden.
func own(cmd *cobra.Command) []*pflag.Flag {
	var out []*pflag.Flag
	cmd.LocalNonPersistentFlags().VisitAll(func(flag *pflag.Flag) {
		if !flag.Hidden && flag.Name != "help" {
			out = append(out, flag)
		}
	})
	return out
}

// document describes the commands below another one, and theirs.
func document(out *bytes.Buffer, cmd *cobra.Command, common []*pflag.Flag) {
	for _, child := range cmd.Commands() {
		if child.Hidden {
			continue
		}
		usage := strings.TrimSpace(strings.TrimSuffix(child.UseLine(), "[flags]"))
		fmt.Fprintf(out, "## %s\n\n%s: `%s`\n\n", child.CommandPath(), child.Short, usage)
		var flags []*pflag.Flag
		opens := child.Flags().Lookup("database-url") != nil
		for _, flag := range own(child) {
			if !opens || !slices.ContainsFunc(common, func(c *pflag.Flag) bool { return c.Name == flag.Name }) {
				flags = append(flags, flag)
			}
		}
		table(out, flags)
		if opens {
			out.WriteString("It has the flags of [all commands that open a database](#commands-that-open-a-database), too.\n\n")
		}
		if inherited := persistent(child); len(inherited) > 0 {
			out.WriteString("It and its subcommands have flags of `kubectl`, which mean what they mean there: " + list(inherited) + ".\n\n")
		}
		document(out, child, common)
	}
}

// persistent are the names of the flags that a command hands down.
func persistent(cmd *cobra.Command) []string {
	var out []string
	cmd.PersistentFlags().VisitAll(func(flag *pflag.Flag) {
		if !flag.Hidden {
			out = append(out, spelled(flag))
		}
	})
	return out
}

func list(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}

func spelled(flag *pflag.Flag) string {
	if flag.Shorthand != "" {
		return "`-" + flag.Shorthand + "`, `--" + flag.Name + "`"
	}
	return "`--" + flag.Name + "`"
}

// cell keeps what the text of a cell from ending it.
func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }

func table(out *bytes.Buffer, flags []*pflag.Flag) {
	if len(flags) == 0 {
		return
	}
	out.WriteString("| flag | value | default | what it does |\n| --- | --- | --- | --- |\n")
	for _, flag := range flags {
		value, usage := pflag.UnquoteUsage(flag)
		byDefault := ""
		if flag.DefValue != "" && flag.DefValue != "false" && flag.DefValue != "[]" && flag.DefValue != "0" && flag.DefValue != "0s" {
			byDefault = "`" + flag.DefValue + "`"
		}
		fmt.Fprintf(out, "| %s | %s | %s | %s |\n", spelled(flag), cell(value), byDefault, cell(usage))
	}
	out.WriteString("\n")
}
