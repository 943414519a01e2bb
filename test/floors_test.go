// Package test holds the checks on the repository as a whole: which package may
// import which, what the image holds, and that the manifests are what Kubernetes
// reads. The tests against real programs are in e2e.
package test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const product = "github.com/doorward/doorward"

// floors is where each package stands. A package imports only packages of lower
// floors; siblings never import each other. A directory below a package stands
// on its floor, unless it is named itself.
var floors = map[string]int{
	"deploy":                   -1, // the files themselves
	"internal/secret":          -1,
	"internal/auth":            0,
	"internal/config":          0,
	"internal/redirect":        0,
	"internal/telemetry":       0,
	"internal/redis":           0,
	"internal/http1":           0,
	"internal/policy":          1,
	"internal/gateway":         1,
	"internal/session":         1,
	"internal/idp":             1,
	"internal/idp/idptest":     -1, // a provider for tests, which knows nothing of us
	"internal/redis/redistest": -1, // real servers for tests
	"internal/bearer":          1,
	"internal/headers":         1,
	"internal/gate":            2,
	"internal/server":          3,
	"internal/server/pages":    2, // what the server's answers look like
	"internal/extauthz":        3,
	"internal/doctor":          3,
	"cmd/doorward":             4,
}

// listed is what `go list -json` says of a package.
type listed struct {
	ImportPath   string
	Imports      []string
	TestImports  []string // of the package's own tests
	XTestImports []string // of tests in package …_test
}

func TestFloors(t *testing.T) {
	for _, pkg := range list(t, "..") {
		from := short(pkg.ImportPath)
		if floorOf(from) == nil {
			t.Errorf("%s has no floor: give it one here, and a row in CONTRIBUTING.md", from)
			continue
		}
		for _, wrong := range wrongArrows(from, pkg.Imports, false) {
			t.Error(wrong)
		}
		for _, wrong := range wrongArrows(from, slices.Concat(pkg.TestImports, pkg.XTestImports), true) {
			t.Errorf("in a test: %v", wrong)
		}
	}
}

// wrongArrows are the imports that a package on its floor may not have. A test
// may import its own package and the test providers of any.
func wrongArrows(from string, imports []string, inTest bool) []error {
	var wrong []error
	for _, path := range imports {
		to := short(path)
		if to == path {
			continue // not ours
		}
		if inTest && (to == from || strings.HasSuffix(to, "test")) {
			continue
		}
		switch here, there := floorOf(from), floorOf(to); {
		case !inTest && strings.HasSuffix(to, "test"):
			wrong = append(wrong, fmt.Errorf("%s imports %s, which is for tests", from, to))
		case there == nil:
			wrong = append(wrong, fmt.Errorf("%s imports %s, which has no floor", from, to))
		case *there >= *here:
			wrong = append(wrong, fmt.Errorf("%s (floor %d) imports %s (floor %d): only lower floors", from, *here, to, *there))
		}
	}
	return wrong
}

func TestFloorsCatchWrongArrows(t *testing.T) {
	for _, tt := range []struct {
		name, from, to string
		inTest         bool
		wrong          bool
	}{
		{"down", "internal/gate", "internal/auth", false, false},
		{"outside", "internal/gate", "net/http", false, false},
		{"up", "internal/auth", "internal/gate", false, true},
		{"sibling", "internal/idp", "internal/session", false, true},
		{"sibling in a test", "internal/idp", "internal/session", true, true},
		{"below a package", "internal/gate/part", "internal/policy", false, false},
		{"test provider", "internal/server", "internal/idp/idptest", true, false},
		{"test provider in the product", "internal/server", "internal/idp/idptest", false, true},
		{"unknown", "internal/server", "internal/util", false, true},
		{"main", "internal/server", "cmd/doorward", false, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := tt.to
			if strings.HasPrefix(path, "internal/") || strings.HasPrefix(path, "cmd/") {
				path = product + "/" + path
			}
			wrong := wrongArrows(tt.from, []string{path}, tt.inTest)
			if (len(wrong) > 0) != tt.wrong {
				t.Errorf("%s → %s: %v, want wrong: %v", tt.from, tt.to, wrong, tt.wrong)
			}
		})
	}
}

// floorOf is the floor of a package or of the nearest one above it; nil for none.
func floorOf(pkg string) *int {
	for pkg != "" {
		if floor, known := floors[pkg]; known {
			return &floor
		}
		pkg = pkg[:max(0, strings.LastIndexByte(pkg, '/'))]
	}
	return nil
}

func short(path string) string { return strings.TrimPrefix(path, product+"/") }

// list reads `go list` in the module at dir. A package that does not compile is
// listed all the same.
func list(t *testing.T, dir string) []listed {
	t.Helper()
	cmd := exec.Command("go", "list", "-e", "-json=ImportPath,Imports,TestImports,XTestImports", "./...")
	cmd.Dir = dir
	output, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []listed
	decoder := json.NewDecoder(strings.NewReader(string(output)))
	for {
		var pkg listed
		if err := decoder.Decode(&pkg); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("go list: %v", err)
		}
		all = append(all, pkg)
	}
	if len(all) == 0 {
		t.Fatal("go list names no package")
	}
	return all
}

// required are the libraries that the product is written with.
var required = []string{
	"github.com/go-chi/chi/v5", "github.com/coreos/go-oidc/v3/oidc", "golang.org/x/oauth2",
	"github.com/gorilla/sessions", "github.com/kelseyhightower/envconfig",
}

func TestRequiredLibraries(t *testing.T) {
	var imported []string
	for _, pkg := range list(t, "..") {
		imported = append(imported, pkg.Imports...)
	}
	for _, library := range required {
		if !slices.Contains(imported, library) {
			t.Errorf("no package of the product imports %s", library)
		}
	}
}
