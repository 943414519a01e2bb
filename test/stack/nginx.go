package stack

import (
	"os"
	"os/exec"
	"path/filepath"
)

// nginx puts the configuration in place and returns the command that runs it.
func (f *Front) nginx() (Command, error) {
	binary, err := exec.LookPath("nginx")
	if err != nil {
		binary = "/usr/sbin/nginx" // not on everybody's PATH
	}
	if err := f.writeNginx(); err != nil {
		return Command{}, err
	}
	return Command{
		Name: "nginx", Path: binary,
		Args: []string{"-e", "stderr", "-p", f.Dir, "-c", filepath.Join(f.Dir, "nginx.conf")},
	}, nil
}

// writeNginx puts nginx.conf, the gateway's configuration and the snippets in place.
func (f *Front) writeNginx() error {
	root, err := Root()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(f.Dir, "temp"), 0o700); err != nil {
		return err
	}
	snippets := filepath.Join(f.Dir, "snippets")
	if err := os.RemoveAll(snippets); err != nil {
		return err
	}
	if err := os.CopyFS(snippets, os.DirFS(filepath.Join(root, "deploy", "nginx", "snippets"))); err != nil {
		return err
	}
	if err := f.render(string(f.Gateway), "site.conf", "", f.nginxReplacements()); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(f.Dir, "nginx.conf"), []byte(f.mainNginx()), 0o600)
}

// nginxReplacements are the shipped values and what a test puts in their place.
func (f *Front) nginxReplacements() [][2]string {
	all := [][2]string{
		{"127.0.0.1:4180", f.Doorward},
		{"127.0.0.1:8080", f.App},
		{"app.example.com", f.AppHost},
		{"https://auth.example.com", f.AuthURL},
		{"auth.example.com", f.AuthHost},
	}
	if f.CertFile == "" {
		return append(all, [][2]string{
			{"listen 443 ssl;", "listen " + f.Listen + ";"},
			{"ssl_certificate /etc/ssl/example.com.pem;", ""},
			{"ssl_certificate_key /etc/ssl/example.com.key;", ""},
		}...)
	}
	return append(all, [][2]string{
		{"listen 443 ssl;", "listen " + f.Listen + " ssl;"},
		{"/etc/ssl/example.com.pem", f.CertFile},
		{"/etc/ssl/example.com.key", f.KeyFile},
	}...)
}

// mainNginx is the part of the configuration that a distribution ships.
func (f *Front) mainNginx() string {
	var modules, user string
	if f.Gateway == IngressNginx {
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
