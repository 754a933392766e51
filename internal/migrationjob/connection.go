package migrationjob

import (
	"cmp"
	"path"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/schemagate/schemagate/api/v1alpha1"
)

// Environment variables that "schemagate migrate" reads.
const (
	envURL      = "DATABASE_URL"
	envUser     = "DATABASE_USER"
	envPassword = "DATABASE_PASSWORD"
)

// envTemporary is where SQLite keeps what does not fit into memory.
const envTemporary = "SQLITE_TMPDIR"

// Directories of the pod. They hold nothing else.
const (
	certificates = "/certificates"
	data         = "/data"
	temporary    = "/tmp"
)

// connection is what a pod needs to reach a database: names and references, and
// never a secret itself.
type connection struct {
	args    []string
	env     []corev1.EnvVar
	volumes []corev1.Volume
	mounts  []corev1.VolumeMount
	user    int64
	fsGroup *int64
}

func connect(d v1alpha1.Database) connection {
	c := connection{user: user}
	switch {
	case d.SQLite.ClaimName != "":
		c.sqlite(d.SQLite)
		return c
	case d.Host != "":
		c.args = append(c.args, "--database-host="+d.Host,
			"--database-port="+strconv.Itoa(int(cmp.Or(d.Port, 5432))), "--database-name="+d.Name,
			"--sslmode="+string(cmp.Or(d.SSLMode, v1alpha1.SSLModeRequire)))
		c.secret(envUser, d.UserFrom)
		if d.PasswordFrom != (v1alpha1.ValueSource{}) {
			c.secret(envPassword, d.PasswordFrom)
		}
	default:
		c.secret(envURL, d.URLFrom)
	}
	if d.Schema != "" {
		c.args = append(c.args, "--schema="+d.Schema)
	}
	c.certificate("ca", "--sslrootcert", d.TLS.CAFrom)
	c.certificate("cert", "--sslcert", d.TLS.CertFrom)
	c.certificate("key", "--sslkey", v1alpha1.CertificateSource{SecretKeyRef: d.TLS.KeyFrom.SecretKeyRef})
	return c
}

func (c *connection) secret(name string, from v1alpha1.ValueSource) {
	c.env = append(c.env, corev1.EnvVar{Name: name, ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
		LocalObjectReference: corev1.LocalObjectReference{Name: string(from.SecretKeyRef.Name)}, Key: from.SecretKeyRef.Key,
	}}})
}

// certificate mounts one key of a Secret or ConfigMap as a file. The group may
// read it: the kubelet writes the files as root.
func (c *connection) certificate(name, flag string, from v1alpha1.CertificateSource) {
	volume := corev1.Volume{Name: "tls-" + name}
	mode := new(int32(0o440))
	switch {
	case from.SecretKeyRef.Name != "":
		volume.Secret = &corev1.SecretVolumeSource{
			SecretName: string(from.SecretKeyRef.Name), DefaultMode: mode,
			Items: []corev1.KeyToPath{{Key: from.SecretKeyRef.Key, Path: name + ".pem"}},
		}
	case from.ConfigMapKeyRef.Name != "":
		volume.ConfigMap = &corev1.ConfigMapVolumeSource{
			LocalObjectReference: corev1.LocalObjectReference{Name: string(from.ConfigMapKeyRef.Name)}, DefaultMode: mode,
			Items: []corev1.KeyToPath{{Key: from.ConfigMapKeyRef.Key, Path: name + ".pem"}},
		}
	default:
		return
	}
	directory := path.Join(certificates, name)
	c.volumes = append(c.volumes, volume)
	c.mounts = append(c.mounts, corev1.VolumeMount{Name: volume.Name, MountPath: directory, ReadOnly: true})
	c.args = append(c.args, flag+"="+path.Join(directory, name+".pem"))
	c.fsGroup = new(int64(user))
}

// sqlite mounts the claim and runs as the owner of the file. Files keep their
// owner and mode: there is no fsGroup. Temporary tables and sorts of more than
// a few megabytes need a directory to write to, and the root has none.
func (c *connection) sqlite(s v1alpha1.SQLite) {
	c.user = ptr.Deref(s.RunAsUser, user)
	c.args = append(c.args, "--database-url=sqlite:///"+path.Join(data, cmp.Or(s.Path, "webui.db")))
	c.volumes = append(c.volumes, corev1.Volume{Name: "data", VolumeSource: corev1.VolumeSource{
		PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: string(s.ClaimName)},
	}})
	c.volumes = append(c.volumes, corev1.Volume{Name: "tmp", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}})
	c.mounts = append(c.mounts, corev1.VolumeMount{Name: "data", MountPath: data}, corev1.VolumeMount{Name: "tmp", MountPath: temporary})
	c.env = append(c.env, corev1.EnvVar{Name: envTemporary, Value: temporary})
}
