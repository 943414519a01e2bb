package gateways

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// sameVerdicts asks two gateways the same and compares.
func sameVerdicts(t *testing.T, all []*column) {
	by := make(map[string]*column)
	for _, c := range all {
		by[c.name] = c
	}
	t.Run("the same annotations under both controllers", func(t *testing.T) {
		for _, a := range questions() {
			one, other := by[ingress].verdict(t, a), by[traefikIngress].verdict(t, a)
			if one != other {
				t.Errorf("%s: %s under ingress-nginx, %s under Traefik", a.describe(), one, other)
			}
		}
	})
	t.Run("the other controller's headers are refused by both", func(t *testing.T) {
		for who, cookie := range by[ingress].people(by[traefikIngress]) {
			for i, c := range []*column{by[ingress], by[traefikIngress]} {
				other := [][]string{forwarded, original}[i]
				got := c.send(t, ask{header: fetch(append([]string{"Cookie: " + cookie[i]}, other...)...)})
				if got.seen != nil || got.StatusCode != 403 {
					t.Errorf("%s, %s: %d", c.name, who, got.StatusCode)
				}
			}
		}
	})
	t.Run("Envoy over HTTP and over gRPC", func(t *testing.T) {
		for _, a := range questions() {
			one, other := by[envoyHTTP].exactly(t, a), by[envoyGRPC].exactly(t, a)
			if one != other {
				t.Errorf("%s:\n  HTTP %s\n  gRPC %s", a.describe(), one, other)
			}
		}
	})
}

// question is an ask by somebody.
type question struct {
	ask
	who string // "nobody", "ada" or "eve"
}

func (q question) describe() string {
	return fmt.Sprintf("%s %s %s %s %q", q.who, q.method, q.target, q.host, q.header)
}

// questions are every kind of person with every kind of request.
func questions() []question {
	var all []question
	for _, who := range []string{"nobody", "ada", "eve"} {
		for _, method := range []string{"GET", "HEAD", "POST", "OPTIONS", "DELETE", "PATCH"} {
			for _, header := range [][]string{navigation(), fetch(), {"Accept: text/html"}, {"Accept: */*"}} {
				all = append(all, question{ask{method: method, target: "/x?a=1&b=%26", header: header}, who})
			}
		}
		for _, target := range []string{"/", "/a%20b", "/a/%2fb", "/a;b", "/%C3%A9?q=ü", "/?rd=https://evil.example/"} {
			all = append(all, question{ask{method: "GET", target: target, header: navigation()}, who})
		}
		for _, host := range []string{"app.example.com", "APP.example.com", "app.example.com:1"} {
			all = append(all, question{ask{method: "GET", target: "/x", host: host, header: navigation()}, who})
		}
		for _, cookie := range []string{"__Secure-doorward=forged", "doorward=x", "__Host-doorward=x"} {
			all = append(all, question{ask{method: "GET", target: "/x", header: navigation("Cookie: " + cookie)}, who})
		}
		all = append(all, question{ask{method: "GET", target: "/x", header: navigation("Authorization: Bearer x", "X-Requested-With: XMLHttpRequest")}, who})
	}
	return all
}

// people are the session cookies at two gateways, by person.
func (c *column) people(other *column) map[string][2]string {
	return map[string][2]string{"ada": {c.ada, other.ada}, "eve": {c.eve, other.eve}, "nobody": {"a=b", "a=b"}}
}

func (c *column) answer(t *testing.T, q question) answer {
	t.Helper()
	q.header = append([]string(nil), q.header...)
	switch q.who {
	case "ada":
		q.header = append(q.header, "Cookie: "+c.ada)
	case "eve":
		q.header = append(q.header, "Cookie: "+c.eve)
	}
	return c.send(t, q.ask)
}

// verdict is what an answer means, whatever form it has.
func (c *column) verdict(t *testing.T, q question) string {
	t.Helper()
	switch got := c.answer(t, q); {
	case got.Header.Get("X-App") != "":
		return "passes"
	case got.StatusCode == 401 || strings.HasPrefix(got.Header.Get("Location"), c.parts.AuthURL+"/start"):
		return "has to sign in"
	case got.StatusCode == 403:
		return "may not"
	default:
		return fmt.Sprint(got.StatusCode)
	}
}

var (
	port    = regexp.MustCompile(`(example\.com(?::|%3A|%253A))\d{5}`)
	changes = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}|[0-9a-z]{26}`) // request ids
)

// exactly is all of an answer that does not differ from run to run.
func (c *column) exactly(t *testing.T, q question) string {
	t.Helper()
	got := c.answer(t, q)
	text := fmt.Sprintln(got.StatusCode)
	if q.method == "HEAD" { // Envoy drops it where it sees no body
		got.Header.Del("Content-Type")
	}
	for _, name := range []string{"Location", "Www-Authenticate", "Content-Type", "Cache-Control", "Content-Security-Policy", "Set-Cookie"} {
		text += fmt.Sprintf("%s: %q\n", name, got.Header[name])
	}
	switch {
	case got.seen != nil:
		text += got.seen.Method + " " + got.seen.URI
		for _, name := range slices.Sorted(maps.Keys(identityHeaders)) {
			text += fmt.Sprintf(" %q", got.seen.Headers[name])
		}
	case got.Header.Get("X-App") == "":
		text += got.body
	}
	return changes.ReplaceAllString(port.ReplaceAllString(text, "${1}PORT"), "ID")
}
