// Package connection holds the flags that say where a database is. They are the
// same for every command that needs one.
package connection

import (
	"errors"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/schemagate/schemagate/internal/cmd/exit"
	"github.com/schemagate/schemagate/internal/dburl"
	"github.com/schemagate/schemagate/internal/migrate"
)

// The environment variables that are read. The password has no flag: the
// arguments of a process are for everyone to see.
const (
	EnvURL      = "DATABASE_URL"
	EnvUser     = "DATABASE_USER"
	EnvPassword = "DATABASE_PASSWORD"
)

// Flags are the values of the flags.
type Flags struct {
	url    string
	fields dburl.Fields

	// Schema is the PostgreSQL schema.
	Schema string
	// ConnectTimeout bounds one attempt to connect; 0 is the default.
	ConnectTimeout time.Duration
}

// Add defines the flags on a command.
func (f *Flags) Add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.url, "database-url", "", "URL of the database: postgres://…, postgresql://…, sqlite:///relative/file or sqlite:////absolute/file (default: the environment variable "+EnvURL+")")
	flags.StringVar(&f.fields.Host, "database-host", "", "host of a PostgreSQL database, instead of a URL")
	flags.IntVar(&f.fields.Port, "database-port", 0, "port of the host (default 5432)")
	flags.StringVar(&f.fields.Name, "database-name", "", "name of the database on the host")
	flags.StringVar(&f.fields.User, "database-user", "", "role to log in as (default: the environment variable "+EnvUser+"; the password is read from "+EnvPassword+")")
	flags.StringVar(&f.fields.TLS.Mode, "sslmode", "", "security of the connection to the host: disable, allow, prefer, require, verify-ca or verify-full (default prefer)")
	flags.StringVar(&f.fields.TLS.RootCert, "sslrootcert", "", "file of accepted certificate authorities, or \"system\"")
	flags.StringVar(&f.fields.TLS.Cert, "sslcert", "", "file of the client's certificate")
	flags.StringVar(&f.fields.TLS.Key, "sslkey", "", "file of the client's key")
	flags.StringVar(&f.Schema, "schema", migrate.DefaultSchema, "PostgreSQL schema that holds the tables")
	flags.DurationVar(&f.ConnectTimeout, "connect-timeout", 0, "how long one attempt to connect may take (default 10s, or what the URL says)")
}

// Database returns the database that the flags and the environment name. Its
// errors quote nothing of what may be secret.
func (f *Flags) Database() (dburl.Database, error) {
	if f.fields.Host != "" {
		if f.url != "" {
			return dburl.Database{}, exit.Usage(errors.New("--database-url and --database-host exclude each other"))
		}
		fields := f.fields
		if fields.User == "" {
			fields.User = os.Getenv(EnvUser)
		}
		fields.Password = os.Getenv(EnvPassword)
		return usage(dburl.FromFields(fields))
	}
	files := f.fields.TLS
	files.Mode = ""
	if f.fields != (dburl.Fields{TLS: files}) {
		return dburl.Database{}, exit.Usage(errors.New("--database-port, --database-name, --database-user and --sslmode need --database-host; a URL holds them itself"))
	}
	url := f.url
	if url == "" {
		url = os.Getenv(EnvURL)
	}
	if url == "" {
		return dburl.Database{}, exit.Usage(errors.New("no database: give --database-url, --database-host or the environment variable " + EnvURL))
	}
	// The files lie elsewhere than where the URL was made for.
	return usage(dburl.ParseWithFiles(url, files))
}

func usage(d dburl.Database, err error) (dburl.Database, error) {
	if err != nil {
		return d, exit.Usage(err)
	}
	return d, nil
}
