package postgres

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// tempDir is not $TMPDIR, because that may be private to root, who does not
// run the servers, or too long for a socket's path (107 bytes).
const tempDir = "/tmp"

// initTimeout bounds initdb and the copy of its result, which take seconds.
const initTimeout = 2 * time.Minute

// workspace is what the servers of one test binary share.
type workspace struct {
	dir      string
	binDir   string // of PostgreSQL's programs
	account  account
	password string // of the superuser
	lifeline *os.File

	template func() (string, error) // a data directory to copy
}

// openWorkspace makes the workspace at its first call. The watchdog removes it
// when the test binary has ended.
var openWorkspace = sync.OnceValues(newWorkspace)

func newWorkspace() (*workspace, error) {
	w := &workspace{password: rand.Text()}
	var err error
	if w.binDir, err = findPrograms(debianPrograms); err != nil {
		return nil, err
	}
	if w.account, err = serverAccount(); err != nil {
		return nil, err
	}
	if w.dir, err = os.MkdirTemp(tempDir, "schemagate-pg-"); err != nil {
		return nil, err
	}
	err = w.account.own(w.dir)
	if err == nil {
		w.lifeline, err = watch(w.dir)
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(w.dir))
	}
	w.template = sync.OnceValues(w.initialize)
	return w, nil
}

// debianPrograms is where Debian keeps them: out of PATH, because several
// versions can be installed side by side.
const debianPrograms = "/usr/lib/postgresql/*/bin/initdb"

// findPrograms returns the directory of initdb and postgres: the one in PATH,
// otherwise that of the newest version among what pattern matches.
func findPrograms(pattern string) (string, error) {
	if path, err := exec.LookPath("postgres"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil && isFile(filepath.Join(filepath.Dir(path), "initdb")) {
			return filepath.Dir(path), nil
		}
	}
	found, err := filepath.Glob(pattern)
	if err != nil {
		return "", err
	}
	if len(found) == 0 {
		return "", errors.New("no initdb and postgres in PATH or /usr/lib/postgresql: install the Debian package postgresql")
	}
	newest := slices.MaxFunc(found, func(a, b string) int { return majorVersion(a) - majorVersion(b) })
	return filepath.Dir(newest), nil
}

// majorVersion reads it from .../<version>/bin/initdb; what is no number counts
// as the oldest.
func majorVersion(initdb string) int {
	version, err := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(initdb))))
	if err != nil {
		return 0
	}
	return version
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// account is the system user that servers run as. The zero value is the user
// of the test binary.
type account struct {
	credential *syscall.Credential
}

func serverAccount() (account, error) {
	if os.Geteuid() != 0 {
		return account{}, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return account{}, fmt.Errorf("PostgreSQL refuses to run as root, and the user that the Debian package postgresql creates is missing: %w", err)
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return account{}, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return account{}, err
	}
	return account{credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, nil
}

func (a account) own(path string) error {
	if a.credential == nil {
		return nil
	}
	return os.Chown(path, int(a.credential.Uid), int(a.credential.Gid))
}

// command prepares a program that runs as the account, in dir: its working
// directory is how the watchdog recognizes our processes.
func (w *workspace) command(ctx context.Context, dir, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = dir
	// A session of its own keeps an interrupt at the terminal away from it:
	// tests end their servers themselves.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: w.account.credential}
	// Nothing of the caller's PG* variables, and messages in English.
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + w.dir, "LC_ALL=C.UTF-8"}
	return cmd
}

// initialize runs initdb. One data directory serves as template of all.
func (w *workspace) initialize() (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), initTimeout)
	defer cancel()
	template := filepath.Join(w.dir, "template")
	passwordFile := filepath.Join(w.dir, "password")
	if err := os.WriteFile(passwordFile, []byte(w.password), 0o600); err != nil {
		return "", err
	}
	if err := w.account.own(passwordFile); err != nil {
		return "", err
	}
	initdb := w.command(ctx, w.dir, filepath.Join(w.binDir, "initdb"),
		"--pgdata="+template, "--username="+superuser, "--pwfile="+passwordFile,
		"--encoding=UTF8", "--locale=C.UTF-8", "--auth-local=trust", "--auth-host=scram-sha-256", "--no-sync")
	if output, err := initdb.CombinedOutput(); err != nil {
		return "", fmt.Errorf("running initdb: %w\n%s", err, output)
	}
	// initdb lets in connections from this machine only; ListenOn needs more.
	access := "local all all trust\nhost all all all scram-sha-256\n"
	return template, os.WriteFile(filepath.Join(template, "pg_hba.conf"), []byte(access), 0o600)
}

// newServerDir returns a directory with a fresh data directory in it.
func (w *workspace) newServerDir() (string, error) {
	template, err := w.template()
	if err != nil {
		return "", err
	}
	dir, err := w.newDir("server-")
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), initTimeout)
	defer cancel()
	copying := w.command(ctx, dir, "cp", "-R", "--reflink=auto", template, filepath.Join(dir, "data"))
	if output, err := copying.CombinedOutput(); err != nil {
		return "", errors.Join(fmt.Errorf("copying the data directory: %w\n%s", err, output), os.RemoveAll(dir))
	}
	return dir, nil
}

func (w *workspace) newDir(prefix string) (string, error) {
	dir, err := os.MkdirTemp(w.dir, prefix)
	if err != nil {
		return "", err
	}
	return dir, w.account.own(dir)
}
