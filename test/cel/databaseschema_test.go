package cel_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/schemagate/schemagate/api/v1alpha1"
)

// minimal is the shortest spec there is; rows add to it or replace parts.
const minimal = `
database: {urlFrom: {secretKeyRef: {name: db, key: url}}}
migrations: {bundle: open-webui}
`

// parts gives the database by its parts.
const parts = `{host: db.example.com, name: webui, userFrom: {secretKeyRef: {name: db, key: user}}%s}`

// refusal is what the API server says about a spec that it refuses. The zero
// value means that it accepts.
type refusal struct {
	// field is the path that the error names, below spec.
	field string

	// reason is the machine-readable type of the error.
	reason metav1.CauseType

	// says is part of the message.
	says string
}

const (
	invalid   = metav1.CauseTypeFieldValueInvalid
	required  = metav1.CauseTypeFieldValueRequired
	forbidden = metav1.CauseType("FieldValueForbidden")
	oneOf     = metav1.CauseTypeFieldValueNotSupported
	tooLong   = metav1.CauseType("FieldValueTooLong")
	tooMany   = metav1.CauseType("FieldValueTooMany")
	duplicate = metav1.CauseTypeFieldValueDuplicate
)

// row is a spec and what becomes of it.
type row struct {
	name string
	spec string // YAML, merged over minimal
	want refusal
}

func database(content string, args ...any) string {
	return "database: " + fmt.Sprintf(content, args...)
}

func byParts(more string) string { return database(parts, more) }

func sqlite(content string) string { return "database: {sqlite: {claimName: data, " + content + "}}" }

func TestDatabase(t *testing.T) {
	t.Parallel()
	check(t, []row{
		{name: "URL", spec: ``},
		{name: "parts", spec: byParts("")},
		{name: "all parts", spec: byParts(", port: 6432, passwordFrom: {secretKeyRef: {name: db, key: password}}, sslMode: verify-full, schema: webui, " +
			"tls: {caFrom: {configMapKeyRef: {name: ca, key: ca.crt}}, certFrom: {secretKeyRef: {name: tls, key: tls.crt}}, keyFrom: {secretKeyRef: {name: tls, key: tls.key}}}")},
		{name: "SQLite", spec: `database: {sqlite: {claimName: data}}`},
		{name: "URL with certificates", spec: database(`{urlFrom: {secretKeyRef: {name: db, key: url}}, tls: {caFrom: {secretKeyRef: {name: ca, key: ca.crt}}}}`)},

		{name: "none", spec: `database: {}`, want: refusal{"database", invalid, "exactly one way"}},
		{name: "only a schema", spec: `database: {schema: webui}`, want: refusal{"database", invalid, "exactly one way"}},
		{name: "URL and parts", spec: byParts(", urlFrom: {secretKeyRef: {name: db, key: url}}"), want: refusal{"database", invalid, "exactly one way"}},
		{name: "URL and SQLite", spec: database(`{urlFrom: {secretKeyRef: {name: db, key: url}}, sqlite: {claimName: data}}`), want: refusal{"database", invalid, "exactly one way"}},
		{name: "missing", spec: `database: null`, want: refusal{"database", required, ""}},

		{name: "host without name", spec: database(`{host: db, userFrom: {secretKeyRef: {name: db, key: user}}}`), want: refusal{"database.name", required, "host is set"}},
		{name: "host without user", spec: database(`{host: db, name: webui}`), want: refusal{"database.userFrom", required, "host is set"}},
		{name: "URL with port", spec: url("port: 5432"), want: refusal{"database.port", forbidden, "without host"}},
		{name: "URL with name", spec: url("name: webui"), want: refusal{"database.name", forbidden, "without host"}},
		{name: "URL with user", spec: url("userFrom: {secretKeyRef: {name: db, key: user}}"), want: refusal{"database.userFrom", forbidden, "without host"}},
		{name: "URL with password", spec: url("passwordFrom: {secretKeyRef: {name: db, key: password}}"), want: refusal{"database.passwordFrom", forbidden, "without host"}},
		{name: "URL with sslMode", spec: url("sslMode: require"), want: refusal{"database.sslMode", forbidden, "URL"}},
		{name: "SQLite with schema", spec: `database: {sqlite: {claimName: data}, schema: webui}`, want: refusal{"database.schema", forbidden, "no schemas"}},
		{name: "SQLite with TLS", spec: `database: {sqlite: {claimName: data}, tls: {caFrom: {secretKeyRef: {name: ca, key: ca.crt}}}}`, want: refusal{"database.tls", forbidden, "sqlite"}},

		{name: "host with port", spec: replaceHost("db:5432"), want: refusal{"database.host", invalid, "DNS name"}},
		{name: "host with scheme", spec: replaceHost("postgres://db"), want: refusal{"database.host", invalid, "DNS name"}},
		{name: "host in brackets", spec: replaceHost("[::1]"), want: refusal{"database.host", invalid, "DNS name"}},
		{name: "host with a space", spec: replaceHost("db example"), want: refusal{"database.host", invalid, "DNS name"}},
		{name: "socket directory", spec: replaceHost("/var/run/postgresql"), want: refusal{"database.host", invalid, "DNS name"}},
		{name: "host empty", spec: replaceHost(""), want: refusal{"database.host", invalid, "at least 1"}},
		{name: "IPv4 address", spec: replaceHost("192.0.2.1")},
		{name: "IPv6 address", spec: replaceHost("2001:db8::1")},
		{name: "port 1", spec: byParts(", port: 1")},
		{name: "port 65535", spec: byParts(", port: 65535")},
		{name: "port 0", spec: byParts(", port: 0"), want: refusal{"database.port", invalid, "greater than or equal to 1"}},
		{name: "port 65536", spec: byParts(", port: 65536"), want: refusal{"database.port", invalid, "less than or equal to 65535"}},
		{name: "schema of PostgreSQL", spec: url("schema: pg_catalog"), want: refusal{"database.schema", invalid, "PostgreSQL itself"}},
		{name: "information_schema", spec: url("schema: information_schema"), want: refusal{"database.schema", invalid, "PostgreSQL itself"}},
		{name: "any other schema", spec: url("schema: Web UI")},
		{name: "schema too long", spec: url("schema: " + strings.Repeat("a", 64)), want: refusal{"database.schema", tooLong, ""}},
		{name: "schema as long as can be", spec: url("schema: " + strings.Repeat("a", 63))},
		{name: "database name too long", spec: database(`{host: db, name: %s, userFrom: {secretKeyRef: {name: db, key: user}}}`, strings.Repeat("a", 64)), want: refusal{"database.name", tooLong, ""}},
	})
}

func url(more string) string {
	return database(`{urlFrom: {secretKeyRef: {name: db, key: url}}, %s}`, more)
}

func replaceHost(host string) string {
	return database(`{host: %q, name: webui, userFrom: {secretKeyRef: {name: db, key: user}}}`, host)
}

func TestReferences(t *testing.T) {
	t.Parallel()
	ref := func(name, key string) string {
		return database(`{urlFrom: {secretKeyRef: {name: %q, key: %q}}}`, name, key)
	}
	check(t, []row{
		{name: "dots and digits", spec: ref("db.prod-2", "DATABASE_URL.v1")},
		{name: "longest name", spec: ref(strings.Repeat("a", 253), "url")},
		{name: "name too long", spec: ref(strings.Repeat("a", 254), "url"), want: refusal{"database.urlFrom.secretKeyRef.name", tooLong, ""}},
		{name: "upper-case name", spec: ref("Db", "url"), want: refusal{"database.urlFrom.secretKeyRef.name", invalid, "lower-case"}},
		{name: "empty name", spec: ref("", "url"), want: refusal{"database.urlFrom.secretKeyRef.name", invalid, ""}},
		{name: "key with a slash", spec: ref("db", "a/b"), want: refusal{"database.urlFrom.secretKeyRef.key", invalid, "letters, digits"}},
		{name: "empty key", spec: ref("db", ""), want: refusal{"database.urlFrom.secretKeyRef.key", invalid, ""}},
		{name: "no key", spec: database(`{urlFrom: {secretKeyRef: {name: db}}}`), want: refusal{"database.urlFrom.secretKeyRef.key", required, ""}},
		{name: "no reference", spec: database(`{urlFrom: {}}`), want: refusal{"database.urlFrom.secretKeyRef", required, ""}},
	})
}

func TestTLS(t *testing.T) {
	t.Parallel()
	const ca = "caFrom: {configMapKeyRef: {name: ca, key: ca.crt}}"
	const cert, key = "certFrom: {secretKeyRef: {name: tls, key: tls.crt}}", "keyFrom: {secretKeyRef: {name: tls, key: tls.key}}"
	tls := func(mode, content string) string { return byParts(", sslMode: " + mode + ", tls: {" + content + "}") }
	check(t, []row{
		{name: "authority, verify-ca", spec: tls("verify-ca", ca)},
		{name: "authority, verify-full", spec: tls("verify-full", ca)},
		{name: "authority, require", spec: tls("require", ca), want: refusal{"database.sslMode", invalid, "tls.caFrom would have no effect"}},
		{name: "authority, no mode", spec: byParts(", tls: {" + ca + "}"), want: refusal{"database.sslMode", required, "tls.caFrom would have no effect"}},
		{name: "certificate and key", spec: tls("require", cert+", "+key)},
		{name: "certificate without key", spec: tls("require", cert), want: refusal{"database.tls.keyFrom", required, "key"}},
		{name: "key without certificate", spec: tls("require", key), want: refusal{"database.tls.certFrom", required, "certificate"}},
		{name: "certificates, disable", spec: tls("disable", cert+", "+key), want: refusal{"database.sslMode", invalid, "must not be disable"}},
		{name: "empty", spec: tls("require", ""), want: refusal{"database.tls", invalid, "at least 1"}},
		{name: "two authorities", spec: tls("verify-ca", "caFrom: {configMapKeyRef: {name: ca, key: a}, secretKeyRef: {name: ca, key: a}}"), want: refusal{"database.tls.caFrom", invalid, "exactly one way"}},
		{name: "no authority", spec: tls("verify-ca", "caFrom: {}"), want: refusal{"database.tls.caFrom", invalid, "exactly one way"}},
		{name: "unknown mode", spec: byParts(", sslMode: Require"), want: refusal{"database.sslMode", oneOf, "verify-full"}},
	})
	for _, mode := range []string{"disable", "allow", "prefer", "require", "verify-ca", "verify-full"} {
		check(t, []row{{name: "mode " + mode, spec: byParts(", sslMode: " + mode)}})
	}
}

func TestSQLite(t *testing.T) {
	t.Parallel()
	const field = "database.sqlite.path"
	check(t, []row{
		{name: "below a directory", spec: sqlite("path: data/webui.db, runAsUser: 1000")},
		{name: "root", spec: sqlite("runAsUser: 0")},
		{name: "dots in a name", spec: sqlite("path: ..webui..db")},
		{name: "absolute", spec: sqlite("path: /webui.db"), want: refusal{field, invalid, "relative path"}},
		{name: "a directory", spec: sqlite("path: data/"), want: refusal{field, invalid, "relative path"}},
		{name: "outside", spec: sqlite("path: ../webui.db"), want: refusal{field, invalid, "relative path"}},
		{name: "outside, in the middle", spec: sqlite("path: data/../../webui.db"), want: refusal{field, invalid, "relative path"}},
		{name: "outside, at the end", spec: sqlite("path: data/.."), want: refusal{field, invalid, "relative path"}},
		{name: "here", spec: sqlite("path: ./webui.db"), want: refusal{field, invalid, "relative path"}},
		{name: "empty part", spec: sqlite("path: data//webui.db"), want: refusal{field, invalid, "relative path"}},
		{name: "empty", spec: sqlite(`path: ""`), want: refusal{field, invalid, ""}},
		{name: "negative user", spec: sqlite("runAsUser: -1"), want: refusal{"database.sqlite.runAsUser", invalid, "greater than or equal to 0"}},
		{name: "user too large", spec: sqlite("runAsUser: 2147483648"), want: refusal{"database.sqlite.runAsUser", invalid, "less than or equal to"}},
		{name: "no claim", spec: `database: {sqlite: {path: webui.db}}`, want: refusal{"database.sqlite.claimName", required, ""}},
	})
}

func TestMigrations(t *testing.T) {
	t.Parallel()
	releases := func(list string) string { return "migrations: {bundle: open-webui, releases: " + list + "}" }
	var many []string
	for i := range 65 {
		many = append(many, fmt.Sprintf("{app: 1.0.%d, revision: abc}", i))
	}
	check(t, []row{
		{name: "overlay", spec: releases(`[{app: "0.11.2", revision: d4c1a8e37b62}, {app: "0.12.0", revision: "76"}]`)},
		{name: "64 releases", spec: releases("[" + strings.Join(many[:64], ",") + "]")},
		{name: "65 releases", spec: releases("[" + strings.Join(many, ",") + "]"), want: refusal{"migrations.releases", tooMany, ""}},
		{name: "no source", spec: `migrations: {bundle: null}`, want: refusal{"migrations.bundle", required, "open-webui"}},
		{name: "missing", spec: `migrations: null`, want: refusal{"migrations", required, ""}},
		{name: "unknown bundle", spec: `migrations: {bundle: openwebui}`, want: refusal{"migrations.bundle", oneOf, "open-webui"}},
		{name: "no releases", spec: releases("[]"), want: refusal{"migrations.releases", invalid, "at least 1"}},
		{name: "release twice", spec: releases(`[{app: "0.11.2", revision: "75"}, {app: "0.11.2", revision: "76"}]`), want: refusal{"migrations.releases[1]", duplicate, ""}},
		{name: "release with v", spec: releases(`[{app: v0.11.2, revision: "76"}]`), want: refusal{"migrations.releases[0].app", invalid, "three numbers"}},
		{name: "release of two numbers", spec: releases(`[{app: "0.11.", revision: "76"}]`), want: refusal{"migrations.releases[0].app", invalid, "three numbers"}},
		{name: "release with a variant", spec: releases(`[{app: 0.11.2-cuda, revision: "76"}]`), want: refusal{"migrations.releases[0].app", invalid, "three numbers"}},
		{name: "release with a leading zero", spec: releases(`[{app: 0.11.02, revision: "76"}]`), want: refusal{"migrations.releases[0].app", invalid, "three numbers"}},
		{name: "release without revision", spec: releases(`[{app: 0.11.2}]`), want: refusal{"migrations.releases[0].revision", required, ""}},
		{name: "revision with a dash", spec: releases(`[{app: 0.11.2, revision: a-b}]`), want: refusal{"migrations.releases[0].revision", invalid, "order number or the id"}},
		{name: "revision too long", spec: releases(`[{app: 0.11.2, revision: ` + strings.Repeat("a", 33) + `}]`), want: refusal{"migrations.releases[0].revision", tooLong, ""}},
	})
}

func TestTarget(t *testing.T) {
	t.Parallel()
	check(t, []row{
		{name: "workload", spec: `target: {type: Workload}`},
		{name: "application version", spec: `target: {type: AppVersion, appVersion: 0.11.0}`},
		{name: "revision", spec: `target: {type: Revision, revision: f0bd01a18a3d}`},
		{name: "order number", spec: `target: {type: Revision, revision: "73"}`},
		{name: "unknown type", spec: `target: {type: Latest}`, want: refusal{"target.type", oneOf, "Workload"}},
		{name: "application version missing", spec: `target: {type: AppVersion}`, want: refusal{"target.appVersion", required, "type is AppVersion"}},
		{name: "application version with a variant", spec: `target: {type: AppVersion, appVersion: v0.11.0}`, want: refusal{"target.appVersion", invalid, "three numbers"}},
		{name: "application version too much", spec: `target: {appVersion: 0.11.0}`, want: refusal{"target.appVersion", forbidden, "type is AppVersion"}},
		{name: "application version beside a revision", spec: `target: {type: Revision, revision: "73", appVersion: 0.11.0}`, want: refusal{"target.appVersion", forbidden, "type is AppVersion"}},
		{name: "revision missing", spec: `target: {type: Revision}`, want: refusal{"target.revision", required, "type is Revision"}},
		{name: "revision too much", spec: `target: {type: Workload, revision: "73"}`, want: refusal{"target.revision", forbidden, "type is Revision"}},
		{name: "revision beside an application version", spec: `target: {type: AppVersion, appVersion: 0.11.0, revision: "73"}`, want: refusal{"target.revision", forbidden, "type is Revision"}},
	})
}

func TestRolloutGateAndPolicy(t *testing.T) {
	t.Parallel()
	check(t, []row{
		{name: "everything", spec: `
rollout: {strategy: Drain, drainTimeoutSeconds: 86400, checkImage: false, ignoreSessions: [exporter, pgAdmin 4], before: {cronJob: backup}}
gate: Open
policy: {adopt: Never, downgrade: Allow, destructive: Allow, drift: Block, takeOwnership: true}
suspend: true`},
		{name: "strategy Rolling", spec: `rollout: {strategy: Rolling}`},
		{name: "unknown strategy", spec: `rollout: {strategy: Recreate}`, want: refusal{"rollout.strategy", oneOf, "Drain"}},
		{name: "no time to drain", spec: `rollout: {drainTimeoutSeconds: 0}`, want: refusal{"rollout.drainTimeoutSeconds", invalid, "greater than or equal to 1"}},
		{name: "too much time to drain", spec: `rollout: {drainTimeoutSeconds: 86401}`, want: refusal{"rollout.drainTimeoutSeconds", invalid, "less than or equal to 86400"}},
		{name: "session twice", spec: `rollout: {ignoreSessions: [a, a]}`, want: refusal{"rollout.ignoreSessions[1]", duplicate, ""}},
		{name: "empty session", spec: `rollout: {ignoreSessions: [""]}`, want: refusal{"rollout.ignoreSessions[0]", invalid, "at least 1"}},
		{name: "session too long", spec: `rollout: {ignoreSessions: [` + strings.Repeat("a", 64) + `]}`, want: refusal{"rollout.ignoreSessions[0]", tooLong, ""}},
		{name: "nothing before", spec: `rollout: {before: {}}`, want: refusal{"rollout.before", invalid, "at least 1"}},
		{name: "bad CronJob", spec: `rollout: {before: {cronJob: Backup}}`, want: refusal{"rollout.before.cronJob", invalid, "lower-case"}},
		{name: "unknown gate", spec: `gate: Closed`, want: refusal{"gate", oneOf, "Enforced"}},
		{name: "unknown adoption", spec: `policy: {adopt: Always}`, want: refusal{"policy.adopt", oneOf, "Auto"}},
		{name: "unknown downgrade", spec: `policy: {downgrade: Auto}`, want: refusal{"policy.downgrade", oneOf, "Forbid"}},
		{name: "downgrade by approval", spec: `policy: {downgrade: RequireApproval}`},
		{name: "unknown destructive", spec: `policy: {destructive: Forbid}`, want: refusal{"policy.destructive", oneOf, "Allow"}},
		{name: "unknown drift", spec: `policy: {drift: Fail}`, want: refusal{"policy.drift", oneOf, "Block"}},
		{name: "drift ignored", spec: `policy: {drift: Ignore}`},
	})
}

func TestExecution(t *testing.T) {
	t.Parallel()
	template := func(content string) string { return "execution: {podTemplate: {" + content + "}}" }
	check(t, []row{
		{name: "everything", spec: `
execution:
  lockTimeoutSeconds: 3600
  statementTimeoutSeconds: 604800
  activeDeadlineSeconds: 1
  ttlSecondsAfterFinished: 60
  podTemplate:
    labels: {team: web, "sidecar.istio.io/inject": "false", empty: ""}
    annotations: {"linkerd.io/inject": disabled}
    resources: {requests: {cpu: 100m, memory: 64Mi}, limits: {memory: 256Mi}}
    nodeSelector: {disk: ssd}
    tolerations: [{key: dedicated, operator: Exists, effect: NoSchedule}]
    affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: a, operator: Exists}]}]}}}
    priorityClassName: high
    imagePullSecrets: [{name: registry}]`},
		{name: "no lock timeout", spec: `execution: {lockTimeoutSeconds: 0}`, want: refusal{"execution.lockTimeoutSeconds", invalid, "greater than or equal to 1"}},
		{name: "lock timeout too long", spec: `execution: {lockTimeoutSeconds: 3601}`, want: refusal{"execution.lockTimeoutSeconds", invalid, "less than or equal to 3600"}},
		{name: "no statement timeout", spec: `execution: {statementTimeoutSeconds: 0}`},
		{name: "statement timeout negative", spec: `execution: {statementTimeoutSeconds: -1}`, want: refusal{"execution.statementTimeoutSeconds", invalid, "greater than or equal to 0"}},
		{name: "statement timeout too long", spec: `execution: {statementTimeoutSeconds: 604801}`, want: refusal{"execution.statementTimeoutSeconds", invalid, "less than or equal to"}},
		{name: "no deadline", spec: `execution: {activeDeadlineSeconds: 0}`, want: refusal{"execution.activeDeadlineSeconds", invalid, "greater than or equal to 1"}},
		{name: "deadline too long", spec: `execution: {activeDeadlineSeconds: 604801}`, want: refusal{"execution.activeDeadlineSeconds", invalid, "less than or equal to"}},
		{name: "gone too early", spec: `execution: {ttlSecondsAfterFinished: 59}`, want: refusal{"execution.ttlSecondsAfterFinished", invalid, "greater than or equal to 60"}},
		{name: "kept too long", spec: `execution: {ttlSecondsAfterFinished: 2592001}`, want: refusal{"execution.ttlSecondsAfterFinished", invalid, "less than or equal to"}},
		{name: "our label", spec: template(`labels: {schemagate.dev/schema: open-webui}`), want: refusal{"execution.podTemplate.labels", forbidden, "hold the migration itself"}},
		{name: "any label of ours", spec: template(`labels: {schemagate.dev/other: a}`), want: refusal{"execution.podTemplate.labels", forbidden, "schemagate.dev"}},
		{name: "our annotation", spec: template(`annotations: {schemagate.dev/requires: "1"}`), want: refusal{"execution.podTemplate.annotations", forbidden, "schemagate.dev"}},
		{name: "a similar label", spec: template(`labels: {schemagate.dev.example.com/a: a}`)},
		{name: "bad label value", spec: template(`labels: {a: "b c"}`), want: refusal{"execution.podTemplate.labels[a]", invalid, "label value"}},
		{name: "bad node label", spec: template(`nodeSelector: {a: "-"}`), want: refusal{"execution.podTemplate.nodeSelector[a]", invalid, "label value"}},
		{name: "pull secret twice", spec: template(`imagePullSecrets: [{name: a}, {name: a}]`), want: refusal{"execution.podTemplate.imagePullSecrets[1]", duplicate, ""}},
		{name: "nothing in it", spec: `execution: {podTemplate: {}}`, want: refusal{"execution.podTemplate", invalid, "at least 1"}},
	})
}

// TestUnknownFields: what is not in the API is refused by clients that ask for
// strictness, as kubectl does, and by no means taken for something else.
func TestUnknownFields(t *testing.T) {
	t.Parallel()
	namespace := server.NewNamespace(t)
	for _, spec := range []string{
		`execution: {podTemplate: {serviceAccountName: admin}}`,
		`execution: {podTemplate: {containers: [{name: a, image: b}]}}`,
		`execution: {podTemplate: {volumes: [{name: a}]}}`,
		`migrations: {bundle: open-webui, configMap: {name: a}}`,
		`migrations: {bundle: open-webui, image: a}`,
		`migrations: {bundle: open-webui, command: [a]}`,
	} {
		object := schemaOf(t, namespace, "open-webui", spec)
		err := server.Client.Create(t.Context(), object, client.DryRunAll, client.FieldValidation("Strict"))
		if !apierrors.IsBadRequest(err) || !strings.Contains(err.Error(), "unknown field") {
			t.Errorf("%s: %v, want a refusal of the unknown field", spec, err)
		}
	}
}

func TestName(t *testing.T) {
	t.Parallel()
	namespace := server.NewNamespace(t)
	longest := strings.Repeat("a", 63)
	if err := server.Client.Create(t.Context(), schemaOf(t, namespace, longest, ""), client.DryRunAll); err != nil {
		t.Errorf("63 characters: %v", err)
	}
	err := server.Client.Create(t.Context(), schemaOf(t, namespace, longest+"a", ""), client.DryRunAll)
	if problem := compare(err, "metadata", refusal{"", invalid, "at most 63 characters"}); problem != "" {
		t.Errorf("64 characters: %s", problem)
	}
}

// TestEngineIsImmutable: a status describes one database.
func TestEngineIsImmutable(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		before, after string
		want          refusal
	}{
		"URL to parts":         {"", byParts(""), refusal{}},
		"parts to URL":         {byParts(""), "", refusal{}},
		"SQLite to SQLite":     {"database: {sqlite: {claimName: a}}", "database: {sqlite: {claimName: b}}", refusal{}},
		"SQLite to URL":        {"database: {sqlite: {claimName: a}}", "", refusal{"database", forbidden, "engine cannot change"}},
		"PostgreSQL to SQLite": {"", "database: {sqlite: {claimName: a}}", refusal{"database", forbidden, "engine cannot change"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			namespace := server.NewNamespace(t)
			object := schemaOf(t, namespace, "open-webui", tc.before)
			if err := server.Client.Create(t.Context(), object); err != nil {
				t.Fatal(err)
			}
			object.Object["spec"] = schemaOf(t, namespace, "open-webui", tc.after).Object["spec"]
			if problem := compare(server.Client.Update(t.Context(), object), "spec", tc.want); problem != "" {
				t.Error(problem)
			}
		})
	}
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	namespace := server.NewNamespace(t)
	object := schemaOf(t, namespace, "open-webui", "database: {sqlite: {claimName: data}}")
	if err := server.Client.Create(t.Context(), object); err != nil {
		t.Fatal(err)
	}
	var want map[string]any
	if err := yaml.Unmarshal([]byte(`
database: {sqlite: {claimName: data, path: webui.db}}
migrations: {bundle: open-webui}
target: {type: Workload}
rollout: {strategy: Auto, drainTimeoutSeconds: 300, checkImage: true}
gate: Enforced
policy: {adopt: Auto, downgrade: Forbid, destructive: RequireApproval, drift: Warn, takeOwnership: false}
execution: {lockTimeoutSeconds: 5, statementTimeoutSeconds: 0, ttlSecondsAfterFinished: 86400}
suspend: false
`), &want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, object.Object["spec"], numbers); diff != "" {
		t.Errorf("spec (-want +got):\n%s", diff)
	}
	// kstatus takes a resource for current that has no status.
	if diff := cmp.Diff(map[string]any{"observedGeneration": int64(-1)}, object.Object["status"]); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
	typed := &v1alpha1.DatabaseSchema{}
	if err := server.Client.Get(t.Context(), client.ObjectKeyFromObject(object), typed); err != nil {
		t.Fatal(err)
	}
	if typed.Status.ObservedGeneration == nil || *typed.Status.ObservedGeneration != -1 {
		t.Errorf("observedGeneration = %v, want -1", typed.Status.ObservedGeneration)
	}
}

// TestSelectableFields lists by every field that the API says can be selected.
func TestSelectableFields(t *testing.T) {
	t.Parallel()
	namespace := server.NewNamespace(t)
	for name, spec := range map[string]string{"one": "", "two": "suspend: true\ngate: Open"} {
		if err := server.Client.Create(t.Context(), schemaOf(t, namespace, name, spec)); err != nil {
			t.Fatal(err)
		}
	}
	for field, want := range map[string]int{
		"spec.migrations.bundle=open-webui": 2, "spec.gate=Open": 1, "spec.suspend=true": 1, "status.gate.state=Held": 0,
	} {
		name, value, _ := strings.Cut(field, "=")
		list := &v1alpha1.DatabaseSchemaList{}
		if err := server.Client.List(t.Context(), list, client.InNamespace(namespace), client.MatchingFields{name: value}); err != nil {
			t.Errorf("%s: %v", field, err)
		} else if len(list.Items) != want {
			t.Errorf("%s: %d found, want %d", field, len(list.Items), want)
		}
	}
}

func check(t *testing.T, rows []row) {
	t.Helper()
	namespace := server.NewNamespace(t)
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			err := server.Client.Create(t.Context(), schemaOf(t, namespace, "open-webui", r.spec), client.DryRunAll)
			if problem := compare(err, "spec", r.want); problem != "" {
				t.Error(problem)
			}
		})
	}
}

// compare says how an answer of the API server differs from what was wanted,
// or "".
func compare(err error, root string, want refusal) string {
	if want == (refusal{}) {
		if err != nil {
			return fmt.Sprintf("refused: %v", err)
		}
		return ""
	}
	var status apierrors.APIStatus
	if !errors.As(err, &status) || !apierrors.IsInvalid(err) {
		return fmt.Sprintf("%v, want it to be invalid", err)
	}
	field := root
	if want.field != "" {
		field += "." + want.field
	}
	for _, cause := range status.Status().Details.Causes {
		if cause.Field == field && cause.Type == want.reason && strings.Contains(cause.Message, want.says) {
			return ""
		}
	}
	return fmt.Sprintf("causes %+v, want %s at %s that says %q", status.Status().Details.Causes, want.reason, field, want.says)
}

func schemaOf(t *testing.T, namespace, name, spec string) *unstructured.Unstructured {
	t.Helper()
	content := map[string]any{}
	for _, part := range []string{minimal, spec} {
		var layer map[string]any
		if err := yaml.Unmarshal([]byte(part), &layer); err != nil {
			t.Fatalf("the test's own YAML %q: %v", part, err)
		}
		for key, value := range layer {
			if value == nil {
				delete(content, key)
				continue
			}
			content[key] = value
		}
	}
	object := &unstructured.Unstructured{Object: map[string]any{"spec": content}}
	object.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("DatabaseSchema"))
	object.SetNamespace(namespace)
	object.SetName(name)
	return object.DeepCopy()
}

// numbers makes the decoders' kinds of numbers comparable.
var numbers = cmp.FilterValues(func(a, b any) bool {
	_, x := number(a)
	_, y := number(b)
	return x && y
}, cmp.Comparer(func(a, b any) bool {
	x, _ := number(a)
	y, _ := number(b)
	return x == y
}))

func number(v any) (float64, bool) {
	switch n := v.(type) {
	case int64:
		return float64(n), true
	case float64:
		return n, true
	default:
		return 0, false
	}
}
