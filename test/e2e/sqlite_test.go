package e2e_test

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	_ "modernc.org/sqlite" // the SQLite driver

	"github.com/schemagate/schemagate/api/v1alpha1"
	"github.com/schemagate/schemagate/internal/bundle"
	"github.com/schemagate/schemagate/internal/dburl"
	"github.com/schemagate/schemagate/internal/migrate"
	"github.com/schemagate/schemagate/internal/migrate/openwebui"
	"github.com/schemagate/schemagate/migrations"
)

// owner is whom the SQLite file belongs to.
const owner = 1234

// claim makes a persistent volume of a directory, and returns its claim's name.
func (w *world) claim(directory string) string {
	w.t.Helper()
	size := corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")} //nolint:exhaustive // a volume has nothing else
	volume := &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: w.namespace},
		Spec: corev1.PersistentVolumeSpec{
			Capacity: size, AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}, StorageClassName: w.namespace,
			PersistentVolumeReclaimPolicy: corev1.PersistentVolumeReclaimRetain,
			PersistentVolumeSource:        corev1.PersistentVolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: directory}},
		},
	}
	create(w.t, volume)
	w.t.Cleanup(func() {
		if err := admin.Delete(context.WithoutCancel(w.t.Context()), volume); err != nil {
			w.t.Error(err)
		}
	})
	create(w.t, &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "open-webui"},
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}, StorageClassName: &w.namespace, VolumeName: volume.Name,
			Resources: corev1.VolumeResourceRequirements{Requests: size},
		},
	})
	return "open-webui"
}

// newFile makes a database file as the old release leaves it, in WAL mode, that
// nobody but its owner may touch.
func newFile(t *testing.T, directory string) string {
	t.Helper()
	path := filepath.Join(directory, "webui.db")
	database, err := dburl.Parse("sqlite:///" + path)
	if err != nil {
		t.Fatal(err)
	}
	files := migrations.OpenWebUI()
	b, err := bundle.Load(files)
	if err != nil {
		t.Fatal(err)
	}
	runner, err := migrate.New(migrate.Options{
		Bundle: b, Files: files, Steps: openwebui.Steps(), Database: database,
		Target: strconv.Itoa(int(needs[oldRelease])), Birth: string(bundle.BirthPeewee), Version: "test",
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := runner.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := runner.Close(); err != nil {
		t.Fatal(err)
	}
	query(t, path, "DROP TABLE schema_migrations; DROP TABLE schemagate_history; DROP TABLE schemagate_owner; PRAGMA journal_mode = wal")
	for _, name := range []string{path, directory} {
		if err := os.Chown(name, owner, owner); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(name, 0o700); err != nil { //nolint:gosec // a directory is one, too
			t.Fatal(err)
		}
	}
	return path
}

// query returns the first value of what a statement returns.
func query(t *testing.T, path, statement string) (value string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.QueryRowContext(t.Context(), statement).Scan(&value); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return value
}

// TestSQLite migrates a file on a claim: never while pods have it open, as its
// owner, and it stays as it was.
func TestSQLite(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	directory := t.TempDir()
	path := newFile(t, directory)
	schema := w.newSchema()
	schema.Spec.Database = v1alpha1.Database{SQLite: v1alpha1.SQLite{ClaimName: v1alpha1.ObjectName(w.claim(directory)), RunAsUser: new(int64(owner))}}
	create(t, schema)
	deployment := w.newDeployment(oldRelease, 1)
	pod := &deployment.Spec.Template.Spec
	pod.SecurityContext = &corev1.PodSecurityContext{RunAsUser: new(int64(owner)), RunAsGroup: new(int64(owner))}
	pod.Volumes = []corev1.Volume{{Name: "data", VolumeSource: corev1.VolumeSource{
		PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "open-webui"},
	}}}
	pod.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "data", MountPath: "/data"}}
	pod.Containers[0].Env = []corev1.EnvVar{{Name: "DATABASE_URL", Value: "sqlite:////data/webui.db"}}
	create(t, deployment)
	w.awaitApplied(needs[oldRelease])
	w.awaitRelease(oldRelease, 1)

	w.release(newRelease) // which would be harmless in PostgreSQL
	w.awaitApplied(needs[newRelease])
	w.awaitRelease(newRelease, 1)
	w.scale(0)

	if mode := query(t, path, "PRAGMA journal_mode"); mode != "wal" {
		t.Errorf("the journal mode is %s", mode)
	}
	if id := query(t, path, "SELECT version_num FROM alembic_version"); id == "" {
		t.Error("alembic_version is empty")
	}
	entries, err := os.ReadDir(directory)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil {
			t.Fatal(err)
		}
		if stat, ok := info.Sys().(*syscall.Stat_t); entry.Name() == "webui.db" && (!ok || stat.Uid != owner || info.Mode() != 0o700) {
			t.Errorf("%s has the mode %s, and belongs to %d", entry.Name(), info.Mode(), stat.Uid)
		}
	}
}
