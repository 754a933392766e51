package v1alpha1

// Database says how the migration Job reaches the database: a PostgreSQL URL,
// PostgreSQL by its parts, or a SQLite file on a claim. The engine of an
// existing DatabaseSchema cannot change, because its recorded state is that of
// one database.
//
// +kubebuilder:validation:XValidation:rule="[has(self.urlFrom), has(self.host), has(self.sqlite)].filter(x, x).size() == 1",reason=FieldValueInvalid,message="give the database in exactly one way: urlFrom, or host with its companions, or sqlite"
// +kubebuilder:validation:XValidation:rule="!has(self.host) || has(self.name)",reason=FieldValueRequired,fieldPath=".name",message="name the database: host is set"
// +kubebuilder:validation:XValidation:rule="!has(self.host) || has(self.userFrom)",reason=FieldValueRequired,fieldPath=".userFrom",message="say where the user name is: host is set"
// +kubebuilder:validation:XValidation:rule="has(self.host) || !has(self.port)",reason=FieldValueForbidden,fieldPath=".port",message="must not be set without host"
// +kubebuilder:validation:XValidation:rule="has(self.host) || !has(self.name)",reason=FieldValueForbidden,fieldPath=".name",message="must not be set without host"
// +kubebuilder:validation:XValidation:rule="has(self.host) || !has(self.userFrom)",reason=FieldValueForbidden,fieldPath=".userFrom",message="must not be set without host"
// +kubebuilder:validation:XValidation:rule="has(self.host) || !has(self.passwordFrom)",reason=FieldValueForbidden,fieldPath=".passwordFrom",message="must not be set without host"
// +kubebuilder:validation:XValidation:rule="has(self.host) || !has(self.sslMode)",reason=FieldValueForbidden,fieldPath=".sslMode",message="must not be set without host; with urlFrom it belongs into the URL"
// +kubebuilder:validation:XValidation:rule="!has(self.sqlite) || !has(self.tls)",reason=FieldValueForbidden,fieldPath=".tls",message="must not be set with sqlite"
// +kubebuilder:validation:XValidation:rule="!has(self.sqlite) || !has(self.schema)",reason=FieldValueForbidden,fieldPath=".schema",message="must not be set with sqlite, which has no schemas"
// +kubebuilder:validation:XValidation:rule="!has(self.tls) || !has(self.tls.caFrom) || !has(self.sslMode) || self.sslMode in ['verify-ca', 'verify-full']",reason=FieldValueInvalid,fieldPath=".sslMode",message="must be verify-ca or verify-full: with any other mode tls.caFrom would have no effect"
// +kubebuilder:validation:XValidation:rule="!has(self.tls) || !has(self.tls.caFrom) || !has(self.host) || has(self.sslMode)",reason=FieldValueRequired,fieldPath=".sslMode",message="must be verify-ca or verify-full: with any other mode tls.caFrom would have no effect"
// +kubebuilder:validation:XValidation:rule="!has(self.tls) || !has(self.sslMode) || self.sslMode != 'disable'",reason=FieldValueInvalid,fieldPath=".sslMode",message="must not be disable: tls is set"
// +kubebuilder:validation:XValidation:rule="has(self.sqlite) == has(oldSelf.sqlite)",reason=FieldValueForbidden,message="the engine cannot change: create another DatabaseSchema for the other database"
// +kubebuilder:validation:MinProperties=1
type Database struct {
	// urlFrom is where the connection URL is, in the form that Open WebUI
	// takes as DATABASE_URL: postgres://, postgresql:// or SQLAlchemy's
	// postgresql+psycopg2://.
	// +optional
	URLFrom ValueSource `json:"urlFrom,omitempty,omitzero"`

	// host is the DNS name or address of the PostgreSQL server. Use it
	// instead of urlFrom, together with name and userFrom.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$') || isIP(self)",reason=FieldValueInvalid,message="must be a DNS name or an IP address, without scheme, port or brackets"
	Host string `json:"host,omitempty"`

	// port of the PostgreSQL server, 1 to 65535. Without it 5432.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	Port int32 `json:"port,omitempty"`

	// name of the database, at most 63 bytes, PostgreSQL's limit.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name,omitempty"`

	// userFrom is where the user name is.
	// +optional
	UserFrom ValueSource `json:"userFrom,omitempty,omitzero"`

	// passwordFrom is where the password is. Without it the server has to
	// accept the user by other means, such as a client certificate.
	// +optional
	PasswordFrom ValueSource `json:"passwordFrom,omitempty,omitzero"`

	// sslMode says how the connection is protected, in libpq's words. With
	// host and without sslMode it is require.
	// +optional
	SSLMode SSLMode `json:"sslMode,omitempty"`

	// tls holds certificates for the connection, with urlFrom or host. They
	// take the place of sslrootcert, sslcert and sslkey of a URL.
	// +optional
	TLS TLS `json:"tls,omitempty,omitzero"`

	// schema is the PostgreSQL schema that holds the application's tables; it
	// becomes the search_path. At most 63 bytes, PostgreSQL's limit. Without
	// it public.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="!self.startsWith('pg_') && self != 'information_schema'",reason=FieldValueInvalid,message="must not be a schema of PostgreSQL itself"
	Schema string `json:"schema,omitempty"`

	// sqlite is a SQLite file on a persistent volume claim.
	// +optional
	SQLite SQLite `json:"sqlite,omitempty,omitzero"`
}

// ValueSource says where a value is. The migration pod takes it from there;
// the operator never reads it.
type ValueSource struct {
	// secretKeyRef is a key of a Secret in the same namespace.
	// +required
	SecretKeyRef KeySelector `json:"secretKeyRef,omitzero"`
}

// CertificateSource says where a public certificate is: exactly one member.
//
// +kubebuilder:validation:XValidation:rule="has(self.secretKeyRef) != has(self.configMapKeyRef)",reason=FieldValueInvalid,message="give the certificate in exactly one way: secretKeyRef or configMapKeyRef"
// +kubebuilder:validation:MinProperties=1
type CertificateSource struct {
	// secretKeyRef is a key of a Secret in the same namespace.
	// +optional
	SecretKeyRef KeySelector `json:"secretKeyRef,omitempty,omitzero"`

	// configMapKeyRef is a key of a ConfigMap in the same namespace.
	// +optional
	ConfigMapKeyRef KeySelector `json:"configMapKeyRef,omitempty,omitzero"`
}

// KeySelector is one key of a Secret or ConfigMap in the same namespace.
type KeySelector struct {
	// name of the Secret or ConfigMap.
	// +required
	Name ObjectName `json:"name,omitempty"`

	// key within it.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[-._a-zA-Z0-9]+$')",reason=FieldValueInvalid,message="must be a key of a Secret or ConfigMap: letters, digits, '-', '_' and '.'"
	Key string `json:"key,omitempty"`
}

// ObjectName is the name of a Kubernetes object.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=253
// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')",reason=FieldValueInvalid,message="must be the name of an object: lower-case letters, digits, '-' and '.'"
type ObjectName string

// SSLMode says how the connection is protected, in libpq's words.
//
// +kubebuilder:validation:Enum=disable;allow;prefer;require;verify-ca;verify-full
type SSLMode string

// Protection of the connection, from none to checked against the host name.
const (
	SSLModeDisable    SSLMode = "disable"
	SSLModeAllow      SSLMode = "allow"
	SSLModePrefer     SSLMode = "prefer"
	SSLModeRequire    SSLMode = "require"
	SSLModeVerifyCA   SSLMode = "verify-ca"
	SSLModeVerifyFull SSLMode = "verify-full"
)

// TLS holds certificates for the connection.
//
// +kubebuilder:validation:MinProperties=1
// +kubebuilder:validation:XValidation:rule="!has(self.certFrom) || has(self.keyFrom)",reason=FieldValueRequired,fieldPath=".keyFrom",message="a client certificate needs its key"
// +kubebuilder:validation:XValidation:rule="!has(self.keyFrom) || has(self.certFrom)",reason=FieldValueRequired,fieldPath=".certFrom",message="a client key needs its certificate"
type TLS struct {
	// caFrom is where the certificate authority is that signed the server's
	// certificate, in PEM.
	// +optional
	CAFrom CertificateSource `json:"caFrom,omitempty,omitzero"`

	// certFrom is where the client certificate is, in PEM.
	// +optional
	CertFrom CertificateSource `json:"certFrom,omitempty,omitzero"`

	// keyFrom is where the client certificate's key is, in PEM.
	// +optional
	KeyFrom ValueSource `json:"keyFrom,omitempty,omitzero"`
}

// SQLite is a SQLite file on a persistent volume claim.
type SQLite struct {
	// claimName is the persistent volume claim that holds the file.
	// +required
	ClaimName ObjectName `json:"claimName,omitempty"`

	// path of the file below the claim's root. Defaults to webui.db.
	// +optional
	// +kubebuilder:default=webui.db
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="!self.startsWith('/') && !self.endsWith('/') && self.split('/').all(p, p != '' && p != '.' && p != '..')",reason=FieldValueInvalid,message="must be a relative path below the claim's root, without '.', '..' or empty parts"
	Path string `json:"path,omitempty"`

	// runAsUser is the numeric user that owns the file, as which the
	// migration pod runs. Without it the pod runs as 65532. The owner has to
	// be said: SQLite writes journals beside the file, and a file of another
	// owner would lock the application out.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=2147483647
	RunAsUser *int64 `json:"runAsUser,omitempty"`
}
