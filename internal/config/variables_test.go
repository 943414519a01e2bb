package config_test

import (
	"os"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/config"
)

func TestWarnings(t *testing.T) {
	for _, tt := range []struct {
		name string
		env  env
		want []string // how the warnings begin
	}{
		{"a letter is missing", env{"ALOWED_EMAILS": "x"}, []string{"DOORWARD_ALOWED_EMAILS: is not known and has no effect; did you mean DOORWARD_ALLOWED_EMAILS?"}},
		{"singular", env{"COOKIE_DOMAIN": "x"}, []string{"DOORWARD_COOKIE_DOMAIN: is not known and has no effect; did you mean DOORWARD_COOKIE_DOMAINS?"}},
		{"plural", env{"PUBLIC_URLS": "x"}, []string{"DOORWARD_PUBLIC_URLS: is not known and has no effect; did you mean DOORWARD_PUBLIC_URL?"}},
		{"a part is missing", env{"CLIENT_ID": "x"}, []string{"DOORWARD_CLIENT_ID: is not known and has no effect; did you mean DOORWARD_OIDC_CLIENT_ID?"}},
		{"file of a variable that has none", env{"OIDC_CLIENT_ID_FILE": "x"}, []string{"DOORWARD_OIDC_CLIENT_ID_FILE: is not known and has no effect"}},
		{"nothing is close", env{"FROBNICATE_HARDER": "x"}, []string{"DOORWARD_FROBNICATE_HARDER: is not known and has no effect"}},
		{"two", env{"LOGLEVEL": "x", "LOGFORMAT": "x"}, []string{"DOORWARD_LOGFORMAT: is not known and has no effect; did you mean DOORWARD_LOG_FORMAT?", "DOORWARD_LOGLEVEL: is not known and has no effect; did you mean DOORWARD_LOG_LEVEL?"}},
		{"Kubernetes service links", env{
			"PORT": "tcp://10.0.0.1:4180", "SERVICE_HOST": "10.0.0.1", "SERVICE_PORT": "4180", "SERVICE_PORT_HTTP": "4180",
			"PORT_4180_TCP": "tcp://10.0.0.1:4180", "PORT_4180_TCP_PROTO": "tcp", "PORT_4180_TCP_PORT": "4180", "PORT_4180_TCP_ADDR": "10.0.0.1",
			"ADMIN_SERVICE_HOST": "10.0.0.1", "ADMIN_PORT_4181_TCP_ADDR": "10.0.0.1",
		}, []string{"DOORWARD_ADMIN_PORT_4181_TCP_ADDR: is set by Kubernetes for a Service of that name and has no effect; set enableServiceLinks: false in the pod (10 such variables)"}},
		{"HDR-2 everybody is a proxy", env{"TRUSTED_PROXIES": "10.0.0.0/8,0.0.0.0/0,::/0"}, []string{"DOORWARD_TRUSTED_PROXIES: entry 2 is every address", "DOORWARD_TRUSTED_PROXIES: entry 3 is every address"}},
		{"wildcard without a prefix", env{"PUBLIC_URL": "https://*.example.com"}, []string{"DOORWARD_PATH_PREFIX: is not set, so that /start"}},
		{"wildcard with a prefix", env{"PUBLIC_URL": "https://*.example.com", "PATH_PREFIX": "/oauth2"}, nil},
		{"recheck beyond the lifetime", env{"SESSION_RECHECK": "168h"}, []string{"DOORWARD_SESSION_RECHECK: is not shorter than"}},
		{"idle timeout beyond the lifetime", env{"SESSION_IDLE_TIMEOUT": "200h"}, []string{"DOORWARD_SESSION_IDLE_TIMEOUT: is longer than"}},
		{"force scheme against the public URL", env{"FORCE_SCHEME": "http"}, []string{"DOORWARD_FORCE_SCHEME: is not the scheme of DOORWARD_PUBLIC_URL"}},
		{"client secret with a newline", env{"OIDC_CLIENT_SECRET": "x\n"}, []string{"DOORWARD_OIDC_CLIENT_SECRET: begins or ends with white space"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, warnings, err := load(t, tt.env)
			if err != nil {
				t.Fatalf("Load: %v", err)
			}
			if len(warnings) != len(tt.want) {
				t.Fatalf("warnings %q, want %q", warnings, tt.want)
			}
			for i, want := range tt.want {
				if !strings.HasPrefix(warnings[i], want) {
					t.Errorf("warning %q, want %q…", warnings[i], want)
				}
			}
		})
	}
}

func TestLowerCaseNameIsUnknown(t *testing.T) {
	load(t, nil)
	t.Setenv("doorward_log_level", "debug")
	_, warnings, _ := config.Load()
	if len(warnings) != 1 || !strings.HasSuffix(warnings[0], "did you mean DOORWARD_LOG_LEVEL?") {
		t.Errorf("warnings %q", warnings)
	}
}

// Every name of the contract is known, none twice, and each says what it is.
func TestVariables(t *testing.T) {
	const contract = `LISTEN ADMIN_LISTEN GRPC_LISTEN GRPC_TLS_CERT_FILE GRPC_TLS_KEY_FILE GRPC_CLIENT_CA_FILE PUBLIC_URL PATH_PREFIX COOKIE_DOMAINS COOKIE_SECRET COOKIE_SECRET_FILE COOKIE_NAME COOKIE_PERSIST
		SIGN_IN_PAGE COOKIE_INSECURE SESSION_LIFETIME SESSION_IDLE_TIMEOUT SESSION_RECHECK SESSION_STORE SESSION_OUTAGE_GRACE REDIS_URL REDIS_URL_FILE
		OIDC_ISSUER_URL OIDC_CLIENT_ID OIDC_CLIENT_SECRET OIDC_CLIENT_SECRET_FILE OIDC_SCOPES OIDC_DISCOVERY
		OIDC_AUTH_URL OIDC_TOKEN_URL OIDC_JWKS_URL OIDC_USERINFO_URL OIDC_END_SESSION_URL OIDC_USER_CLAIM OIDC_EMAIL_CLAIM OIDC_GROUPS_CLAIM
		OIDC_AUTH_PARAMS OIDC_CA_FILE OIDC_UNTYPED_LOGOUT_TOKENS OIDC_INSECURE_SKIP_TLS_VERIFY OIDC_INSECURE_ALLOW_UNVERIFIED_EMAIL
		ALLOW_ANY_USER ALLOWED_EMAILS ALLOWED_EMAIL_DOMAINS ALLOWED_GROUPS ALLOWED_REDIRECT_HOSTS TRUSTED_PROXIES FORCE_SCHEME
		IDENTITY_HEADERS PASS_ACCESS_TOKEN PASS_ID_TOKEN ALLOW_STATUS REASON_HEADER CONFIG_FILE LOG_LEVEL LOG_FORMAT SHUTDOWN_DELAY`
	want := map[string]bool{}
	for name := range strings.FieldsSeq(contract) {
		want["DOORWARD_"+name] = true
	}
	for _, v := range config.Variables() {
		if !want[v.Name] {
			t.Errorf("%s is not in the contract, or is there twice", v.Name)
		}
		delete(want, v.Name)
		if v.Description == "" {
			t.Errorf("%s has no description", v.Name)
		}
	}
	for name := range want {
		t.Errorf("%s is missing", name)
	}
}

// TestREADME holds the table of README.md against the code: a row for each
// variable, `| `DOORWARD_X` | `default` | meaning |`, with the default in
// backticks where there is one. Rows may name several variables without default.
func TestREADME(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]string{}
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(line, "|")
		if len(cells) < 4 || !strings.Contains(cells[1], "`DOORWARD_") {
			continue
		}
		for i, name := range strings.Split(cells[1], "`") {
			if i%2 == 1 {
				rows[name] = strings.Trim(strings.TrimSpace(cells[2]), "`")
			}
		}
	}
	for _, v := range config.Variables() {
		documented, found := rows[v.Name]
		switch {
		case v.Description == "not in this version":
		case !found:
			t.Errorf("README.md has no row for %s", v.Name)
		case v.Name == "DOORWARD_TRUSTED_PROXIES" && documented == "loopback and private ranges":
		case v.Default != "" && documented != v.Default:
			t.Errorf("README.md says that the default of %s is %q; it is %q", v.Name, documented, v.Default)
		}
	}
}
