package deploy

import (
	"slices"
	"strings"
	"testing"
)

// asShipped are the values of the example.
func asShipped() Values {
	return Values{
		Hosts: []string{"app.example.com"}, SignInHost: "auth.example.com", PublicURL: "https://auth.example.com",
		CookieDomain: "example.com", Cookie: "__Secure-doorward", Identity: shipped[:],
		Doorward: "127.0.0.1:4180", GRPC: "127.0.0.1:4182",
	}
}

// elsewhere are values none of which is the example's.
func elsewhere() Values {
	return Values{
		Hosts: []string{"one.corp.test", "two.corp.test"}, SignInHost: "login.corp.test", PublicURL: "https://login.corp.test:8443",
		CookieDomain: "corp.test", Cookie: "__Secure-sso", Prefix: "/oauth2", Identity: []string{"Remote-User", "X-Auth-Request-Email", "Authorization"},
		Doorward: "10.0.0.7:4444", GRPC: "10.0.0.7:4445", Upstream: "web:3000",
	}
}

// TestFilesAsShipped: the example's own values change nothing.
func TestFilesAsShipped(t *testing.T) {
	for _, gateway := range Gateways() {
		t.Run(gateway, func(t *testing.T) {
			v := asShipped()
			if Kubernetes(gateway) {
				v.Doorward = ""
			}
			all, err := v.Files(gateway)
			if err != nil || len(all) == 0 {
				t.Fatal(err)
			}
			for _, file := range all {
				if want, err := Read(file.Name); err != nil || file.Text != want {
					t.Errorf("%s has changed (%v):\n%s", file.Name, err, file.Text)
				}
			}
		})
	}
}

// TestFilesElsewhere: nothing of the example is left but the names of files and
// objects, and every value is somewhere.
func TestFilesElsewhere(t *testing.T) {
	for _, gateway := range Gateways() {
		t.Run(gateway, func(t *testing.T) {
			v := elsewhere()
			left := []string{"app.example.com", "auth.example.com", ":4182", "127.0.0.1", "8080", "__Secure-doorward", "x-auth-request-groups"}
			if gateway == "envoy-gateway" {
				v.Doorward = ""
			} else {
				left = append(left, "4180")
			}
			all, err := v.Files(gateway)
			if err != nil {
				t.Fatal(err)
			}
			var whole strings.Builder
			for _, file := range all {
				whole.WriteString(strings.ToLower(file.Text))
				checkPrefix(t, file)
			}
			for _, value := range left {
				if strings.Contains(whole.String(), strings.ToLower(value)) {
					t.Errorf("%s is left", value)
				}
			}
			want := []string{"login.corp.test"}
			if gateway != "istio" && gateway != "envoy-gateway" { // they gate routes and not hosts
				want = append(want, "one.corp.test", "two.corp.test", "web", "3000")
			}
			if gateway != "envoy-grpc" { // takes every header that it is sent
				want = append(want, "remote-user", "x-auth-request-email")
			}
			for _, value := range want {
				if !strings.Contains(whole.String(), value) {
					t.Errorf("%s is nowhere", value)
				}
			}
		})
	}
}

// checkPrefix: no path of Doorward's is left without the prefix.
func checkPrefix(t *testing.T, file File) {
	t.Helper()
	for line := range strings.Lines(file.Text) {
		line, _, _ = strings.Cut(line, " -- ")
		for _, path := range []string{"/auth/", "/denied", "/start"} {
			if strings.Contains(line, path) && !strings.Contains(line, "/oauth2"+path) && !isComment(line) {
				t.Errorf("%s: no prefix in %q", file.Name, line)
			}
		}
	}
}

func TestFilesRefuse(t *testing.T) {
	if _, err := asShipped().Files("apache"); err == nil || !strings.Contains(err.Error(), "caddy") {
		t.Errorf("error %v, want one that names the gateways", err)
	}
	v := asShipped()
	v.Doorward = "unix:/run/doorward.sock"
	if _, err := v.Files("haproxy"); err == nil {
		t.Error("haproxy was given a socket")
	}
	for gateway, want := range map[string]string{"nginx": "server unix:/run/doorward.sock;", "caddy": "unix//run/doorward.sock"} {
		all, err := v.Files(gateway)
		if err != nil || !strings.Contains(all[0].Text, want) {
			t.Errorf("%s: no %q (%v)", gateway, want, err)
		}
	}
}

func TestRenderRefusesADriftedFile(t *testing.T) {
	if _, err := Render("listen 8443 ssl;", [][2]string{{"listen 443 ssl;", "listen 1;"}}); err == nil {
		t.Error("a value that is not in the file was replaced without an error")
	}
	got, err := Render("a ab", [][2]string{{"ab", "1"}, {"a", "2"}})
	if err != nil || got != "2 1" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestIdentity(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		headers    []string
		want       string
	}{
		{"lines", "a\n- X-Auth-Request-User\n- X-Auth-Request-Email\nb\n", []string{"X-Auth-Request-Email", "Remote-User"}, "a\n- X-Auth-Request-Email\n- Remote-User\nb\n"},
		{"two lists", "$doorward_user x_auth_request_user\n$doorward_email x_auth_request_email\nX-Auth-Request-User $doorward_user\n", []string{"Remote-User"},
			"$doorward_remote_user remote_user\nRemote-User $doorward_remote_user\n"},
		{"one line", "h: " + strings.Join(shipped[:], ",") + "\n", []string{"A", "B"}, "h: A,B\n"},
		{"comments stay", "# X-Auth-Request-User\n\"x-auth-request-user\",\n", []string{"Remote-User"}, "# X-Auth-Request-User\n\"remote-user\",\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got, err := identity(tt.text, tt.headers); err != nil || got != tt.want {
				t.Errorf("%q, %v; want %q", got, err, tt.want)
			}
		})
	}
	if _, err := identity("nothing\n", shipped[:]); err == nil {
		t.Error("a file without a list was taken")
	}
	if !slices.Contains(Gateways(), "nginx") || !Kubernetes("ingress-nginx") || Kubernetes("nginx") {
		t.Error("the gateways are mixed up")
	}
}
