package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/doorward/doorward/internal/auth"
	"github.com/doorward/doorward/internal/config"
	"github.com/doorward/doorward/internal/doctor"
	"github.com/doorward/doorward/internal/secret"
)

// doctorFlags are the flags of `doorward doctor`.
type doctorFlags struct {
	url      string
	insecure bool
	resolve  []string
	cookie   string
	echoPath string
	json     bool
}

// newDoctor returns the command that looks at a protected site from outside. It
// fails when something is wrong.
func newDoctor() *cobra.Command {
	var flags doctorFlags
	cmd := &cobra.Command{
		Use:   "doctor --url https://app.example.com/",
		Short: "Look at a protected site from outside and say what is wrong",
		Long: "Sends a few harmless requests (GET, HEAD, OPTIONS) through the gateway, as a browser\n" +
			"and as a forger would, and says in plain words what is right and wrong.\n" +
			"It compares the site with the DOORWARD_* variables, when they are set.\n" +
			"The exit code is 1 when something is wrong.",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d, err := flags.doctor(cmd.InOrStdin())
			if err != nil {
				return err
			}
			return examine(cmd.Context(), d, cmd.OutOrStdout(), flags.json)
		},
	}
	f := cmd.Flags()
	f.StringVar(&flags.url, "url", "", "a page of the site")
	f.BoolVar(&flags.insecure, "insecure-skip-tls-verify", false, "take any certificate")
	f.StringArrayVar(&flags.resolve, "resolve", nil, "where a host is, as app.example.com:192.0.2.7 or with a port; * is every host; may be repeated")
	f.StringVar(&flags.cookie, "cookie", "", "a session, as name=value or the value alone; - reads it from standard input, which keeps it out of the list of processes")
	f.StringVar(&flags.echoPath, "echo-path", "", "a path of the site that shows the headers of a request, for use with --cookie")
	f.BoolVar(&flags.json, "json", false, "write the findings as JSON")
	return cmd
}

// examine writes what the doctor finds.
func examine(ctx context.Context, d *doctor.Doctor, w io.Writer, asJSON bool) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	report := d.Examine(ctx)
	var err error
	if asJSON {
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		encoder.SetEscapeHTML(false)
		err = encoder.Encode(report)
	} else {
		err = report.WriteText(w, isTerminal(w))
	}
	if n := report.Wrong(); err == nil && n > 0 {
		return fmt.Errorf("doctor: %d of %d findings are wrong", n, len(report.Findings))
	}
	return err
}

// doctor makes a doctor of the flags and of the environment.
func (f *doctorFlags) doctor(stdin io.Reader) (*doctor.Doctor, error) {
	page, err := url.Parse(f.url)
	switch {
	case f.url == "":
		return nil, errors.New("doctor: --url is missing; write a page of the site, for example --url https://app.example.com/")
	case err != nil || page.Scheme != "https" && page.Scheme != "http" || page.Host == "" || page.User != nil:
		return nil, errors.New("doctor: --url is no address of a page; write for example --url https://app.example.com/")
	}
	dial, err := dialer(f.resolve)
	if err != nil {
		return nil, err
	}
	if f.echoPath != "" && !strings.HasPrefix(f.echoPath, "/") {
		return nil, errors.New("doctor: --echo-path has to begin with a slash, as /headers")
	}
	d := &doctor.Doctor{URL: page, EchoPath: f.echoPath, Transport: &http.Transport{
		DialContext:           dial,
		TLSClientConfig:       &tls.Config{InsecureSkipVerify: f.insecure, MinVersion: tls.VersionTLS12}, // #nosec G402 -- only when asked for
		ResponseHeaderTimeout: 10 * time.Second,
		DisableKeepAlives:     true,
	}}
	if d.Known, err = known(); err != nil {
		return nil, err
	}
	d.Cookie, err = f.session(d, stdin)
	return d, err
}

// session is the Cookie header with the session, "" without one.
func (f *doctorFlags) session(d *doctor.Doctor, stdin io.Reader) (secret.Secret, error) {
	text := strings.TrimSpace(f.cookie)
	if text == "-" {
		line, err := bufio.NewReader(stdin).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return "", fmt.Errorf("doctor: read the session: %w", err)
		}
		text = strings.TrimSpace(line)
	}
	if strings.ContainsFunc(text, func(c rune) bool { return c < ' ' || c > '~' }) {
		return "", errors.New("doctor: --cookie has characters that no cookie has")
	}
	if text == "" || strings.Contains(text, "=") {
		return secret.Secret(text), nil
	}
	if d.Known != nil {
		if site, ok := d.Known.Sites.For(strings.ToLower(d.URL.Hostname())); ok {
			return secret.Secret(sessionCookie(d.Known.CookieName, site) + "=" + text), nil
		}
	}
	return "", errors.New("doctor: --cookie has a value without a name; write name=value")
}

// known is the configuration, nil when nothing is configured here.
func known() (*doctor.Known, error) {
	configured := false
	for _, variable := range os.Environ() {
		configured = configured || strings.HasPrefix(variable, "DOORWARD_")
	}
	if !configured {
		return nil, nil
	}
	cfg, _, err := config.Load()
	if err != nil {
		return nil, err
	}
	rules, _, err := ruleSets(cfg)
	if err != nil {
		return nil, err
	}
	return &doctor.Known{
		Sites: sites(cfg), Rules: rules, Prefix: cfg.PathPrefix,
		CookieName: cfg.CookieName, Identity: identityHeaders(cfg), Provider: cfg.Providers[0].Name,
	}, nil
}

// sessionCookie is the name of the session cookie of a site, as the browser knows
// it.
func sessionCookie(name string, site auth.Site) string {
	switch {
	case site.Scheme == "http":
		return name
	case site.CookieDomain == "":
		return "__Host-" + name
	}
	return "__Secure-" + name
}

// dialer dials the hosts of --resolve where they are said to be.
func dialer(resolve []string) (func(ctx context.Context, network, address string) (net.Conn, error), error) {
	places := map[string]string{} // an address, or an address with a port
	for _, entry := range resolve {
		host, place, ok := strings.Cut(entry, ":")
		_, addrErr := netip.ParseAddr(place)
		_, portErr := netip.ParseAddrPort(place)
		if !ok || host == "" || addrErr != nil && portErr != nil {
			return nil, errors.New("doctor: --resolve has to be a host and an IP address, as app.example.com:192.0.2.7 or app.example.com:192.0.2.7:8443")
		}
		places[strings.ToLower(host)] = place
	}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		host, port, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		place, ok := places[strings.ToLower(host)]
		if !ok {
			place, ok = places["*"]
		}
		if ok {
			address = place
			if _, err := netip.ParseAddr(place); err == nil {
				address = net.JoinHostPort(place, port)
			}
		}
		return (&net.Dialer{Timeout: 10 * time.Second}).DialContext(ctx, network, address)
	}, nil
}

func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
