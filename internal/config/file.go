package config

import (
	"crypto/sha256"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

const configFile = "DOORWARD_CONFIG_FILE"

// Reload reads the file of current again and returns a copy of current with its
// rules, tokens and headers, against the same environment. It returns all of it
// or, with an error of type Mistakes, nothing. What cannot change while the
// process runs stays as it is, and a warning says that it needs a restart: the
// providers. Without a file it returns a copy.
func Reload(current *Config) (next *Config, warnings []string, err error) {
	copied := *current
	if current.File == "" {
		return &copied, nil, nil
	}
	d, spec := open(current.File)
	switch {
	case spec == nil:
	case !current.providersInFile() && spec.Providers.given():
		d.mistake(spec.Providers.place, "are in the file now, and DOORWARD_OIDC_* are set; keep one of them, and restart")
	case current.providersInFile() && !spec.Providers.given():
		d.mistake(place{}, "has no `providers` any more; write them again")
	case spec.Providers.given():
		if all := d.providers(spec); len(d.remarks) == 0 && !slices.EqualFunc(all, current.Providers, sameProvider) {
			d.warn(spec.Providers.place, "changed, which needs a restart; the process goes on with the providers that it has")
		}
	}
	d.settle(spec, &copied)
	if mistakes := d.mistakes(); len(mistakes) > 0 {
		return nil, d.warnings, mistakes
	}
	return &copied, d.warnings, nil
}

// providersInFile reports whether the providers come from the file.
func (c *Config) providersInFile() bool { return len(c.Providers) > 0 && c.Providers[0].Line > 0 }

// sameProvider compares providers wherever they stand in the file.
func sameProvider(a, b Provider) bool {
	a.Line = b.Line
	return reflect.DeepEqual(a, b)
}

// open reads a file. Without a spec there is a mistake.
func open(path string) (*document, *fileSpec) {
	d := &document{name: path}
	content, err := readUpTo(path, maxFile)
	if err != nil {
		d.name = configFile
		d.mistake(place{}, "cannot read %s: %v", shownPath(path), err)
		return d, nil
	}
	d.source, d.digest = string(content), sha256.Sum256(content)
	return d, d.spec()
}

// spec reads the file; nil when there is no tree to read.
func (d *document) spec() *fileSpec {
	if !d.text() {
		return nil
	}
	if s := d.inPieces(entriesOfPiece); s != nil {
		return s
	}
	return d.whole()
}

// whole reads the file at once.
func (d *document) whole() *fileSpec {
	if !d.parse() {
		return nil
	}
	s := &fileSpec{}
	d.into(s, d.root, place{})
	if root, ok := d.root.(*ast.MappingNode); !ok || len(root.Values) == 0 || d.budget < 0 {
		return nil
	}
	return s
}

// file reads the configuration file after everything else, which it has to fit.
func (r *reader) file(s *spec, c *Config) {
	c.File = strings.TrimSpace(s.ConfigFile)
	if c.File == "" {
		c.Providers = []Provider{r.provider(&s.OIDC)}
		r.access(s, c)
		r.requireSomebody(c)
		c.Rules = []Rule{c.ownRule()}
		return
	}
	d, file := open(c.File)
	switch {
	case file != nil && file.Providers.given():
		c.Providers = d.providers(file)
		r.refuseVariables("DOORWARD_OIDC_", "providers")
	case file != nil || r.anySet("DOORWARD_OIDC_"):
		c.Providers = []Provider{r.provider(&s.OIDC)}
	}
	if file != nil || r.anySet("DOORWARD_ALLOW") {
		r.access(s, c)
	}
	d.settle(file, c)
	r.mistakes = append(r.mistakes, d.mistakes()...)
	r.warnings = append(r.warnings, d.warnings...)
}

// anySet reports whether a variable is set whose name begins so.
func (r *reader) anySet(prefix string) bool { return len(r.set(prefix)) > 0 }

// set are the names of the variables that are set and begin so.
func (r *reader) set(prefix string) []string {
	var names []string
	for _, v := range r.variables {
		if strings.HasPrefix(v.Name, prefix) && strings.TrimSpace(os.Getenv(v.Name)) != "" {
			names = append(names, v.Name)
		}
	}
	return names
}

// refuseVariables refuses variables that say what a key of the file says.
func (r *reader) refuseVariables(prefix, key string) {
	for _, name := range r.set(prefix) {
		r.mistake(name, "is set, and the file of %s has `%s`; keep one of them", configFile, key)
	}
}

// enforces reports whether the file has rules that are more than a shadow.
func (s *fileSpec) enforces() bool {
	if s == nil || !s.Rules.given() {
		return false
	}
	for i := range s.Rules.entries {
		if !s.Rules.entries[i].Shadow.value {
			return true
		}
	}
	return len(s.Rules.entries) == 0 // a mistake that has been said
}

// settle puts the rules, tokens and headers of the file into c, whose other
// parts are complete.
func (d *document) settle(s *fileSpec, c *Config) {
	c.FileDigest = d.digest
	if s == nil {
		return
	}
	c.Rules = d.rules(s, c)
	c.Tokens = d.tokensOf(s)
	c.Headers = d.headers(s, c)
	switch own := c.restricted() || c.AllowAnyUser; {
	case s.enforces() && own:
		d.mistake(s.Rules.place, "are set together with DOORWARD_ALLOW*; keep one of them")
	case !s.enforces() && !own && s.Rules.given():
		d.mistake(s.Rules.place, "are all shadow, and none of DOORWARD_ALLOW* is set, so that nobody could pass")
	case !s.enforces() && !own:
		d.mistake(place{}, "has no `rules`, and none of DOORWARD_ALLOW* is set, so that nobody could pass")
	case !s.enforces():
		c.Rules = append(c.Rules, c.ownRule())
	}
	if len(d.remarks) == 0 {
		d.review(c)
	}
}
