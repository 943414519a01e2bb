package stack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// A Gateway is a configuration of nginx that the tests run.
type Gateway string

const (
	// PlainNginx is deploy/nginx as shipped.
	PlainNginx Gateway = "deploy/nginx/doorward.conf"
	// IngressNginx is what ingress-nginx renders for deploy/ingress-nginx.
	IngressNginx Gateway = "test/stack/testdata/ingress-nginx.conf"
)

// Nginx is the gateway in front of the app and of Doorward's pages.
type Nginx struct {
	Dir     string
	Gateway Gateway
	Listen  string // host:port

	// What stands in the configuration in place of the shipped values.
	AppHost, AuthHost string // names, without port
	AuthURL           string // origin, with the port of Listen
	App, Doorward     string // where they listen: host:port, or unix:/path for Doorward
	CertFile, KeyFile string // both empty: plain http

	process *Process
}

// Start renders the configuration, starts nginx and waits until it listens.
func (n *Nginx) Start(ctx context.Context) error {
	binary, err := exec.LookPath("nginx")
	if err != nil {
		binary = "/usr/sbin/nginx" // not on everybody's PATH
	}
	if err := n.write(); err != nil {
		return fmt.Errorf("stack: configure nginx: %w", err)
	}
	config := filepath.Join(n.Dir, "nginx.conf")
	n.process, err = Start(Command{
		Name: "nginx", Dir: n.Dir, Path: binary,
		Args: []string{"-e", "stderr", "-p", n.Dir, "-c", config},
	})
	if err != nil {
		return err
	}
	return n.process.Await(ctx, accepts(n.Listen))
}

// Stop stops nginx.
func (n *Nginx) Stop() error {
	if n.process == nil {
		return nil
	}
	return n.process.Stop()
}

// write puts nginx.conf, the gateway's configuration and the snippets in place.
func (n *Nginx) write() error {
	root, err := Root()
	if err != nil {
		return err
	}
	shipped, err := os.ReadFile(filepath.Join(root, string(n.Gateway)))
	if err != nil {
		return err
	}
	site, err := replaceAll(string(shipped), n.replacements())
	if err != nil {
		return fmt.Errorf("%s: %w", n.Gateway, err)
	}
	if err := os.MkdirAll(filepath.Join(n.Dir, "temp"), 0o700); err != nil {
		return err
	}
	snippets := filepath.Join(n.Dir, "snippets")
	if err := os.RemoveAll(snippets); err != nil {
		return err
	}
	if err := os.CopyFS(snippets, os.DirFS(filepath.Join(root, "deploy", "nginx", "snippets"))); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(n.Dir, "site.conf"), []byte(site), 0o600); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(n.Dir, "nginx.conf"), []byte(n.main()), 0o600)
}

// replacements are the shipped values and what a test puts in their place.
func (n *Nginx) replacements() [][2]string {
	all := [][2]string{
		{"127.0.0.1:4180", n.Doorward},
		{"127.0.0.1:8080", n.App},
		{"app.example.com", n.AppHost},
		{"https://auth.example.com", n.AuthURL},
		{"auth.example.com", n.AuthHost},
	}
	if n.CertFile == "" {
		return append(all, [][2]string{
			{"listen 443 ssl;", "listen " + n.Listen + ";"},
			{"ssl_certificate /etc/ssl/example.com.pem;", ""},
			{"ssl_certificate_key /etc/ssl/example.com.key;", ""},
		}...)
	}
	return append(all, [][2]string{
		{"listen 443 ssl;", "listen " + n.Listen + " ssl;"},
		{"/etc/ssl/example.com.pem", n.CertFile},
		{"/etc/ssl/example.com.key", n.KeyFile},
	}...)
}

// replaceAll replaces every pair's first by its second. A first that does not
// occur is an error: the file has changed and its test has not.
func replaceAll(text string, pairs [][2]string) (string, error) {
	var flat []string
	for _, pair := range pairs {
		if !strings.Contains(text, pair[0]) {
			return "", errors.New("does not contain " + pair[0])
		}
		flat = append(flat, pair[0], pair[1])
	}
	return strings.NewReplacer(flat...).Replace(text), nil
}

// main is the part of the configuration that a distribution ships.
func (n *Nginx) main() string {
	var modules, user string
	if n.Gateway == IngressNginx {
		modules = "load_module /usr/lib/nginx/modules/ndk_http_module.so;\n" +
			"load_module /usr/lib/nginx/modules/ngx_http_set_misc_module.so;\n"
	}
	if os.Geteuid() == 0 {
		user = "user root;\n" // the run's directory is closed to others
	}
	return modules + user + `daemon off;
worker_processes 1;
pid nginx.pid;
error_log stderr info;
events {}
http {
	access_log access.log;
	client_body_temp_path temp/body;
	proxy_temp_path temp/proxy;
	fastcgi_temp_path temp/fastcgi;
	uwsgi_temp_path temp/uwsgi;
	scgi_temp_path temp/scgi;
	include site.conf;
}
`
}
