package config

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/kelseyhightower/envconfig"
)

const prefix = "DOORWARD"

// Variable is one environment variable, for the documentation.
type Variable struct {
	Name        string
	Default     string // as it would be written; "" when there is none
	Description string
}

// Variables are all variables that have a meaning, in the order in which they
// are best read.
func Variables() []Variable {
	var text strings.Builder
	const row = "{{range .}}{{usage_key .}}\t{{usage_default .}}\t{{usage_description .}}\n{{end}}"
	if err := envconfig.Usagef(prefix, &spec{}, &text, row); err != nil {
		panic(fmt.Sprintf("config: %v", err)) // the template and the struct are constants
	}
	var all []Variable
	for line := range strings.Lines(text.String()) {
		cells := strings.SplitN(strings.TrimSuffix(line, "\n"), "\t", 3)
		all = append(all, Variable{cells[0], cells[1], cells[2]})
	}
	return all
}

// serviceLink matches the variables that Kubernetes derives from a Service named
// doorward, or doorward- with something behind it.
var serviceLink = regexp.MustCompile(`^DOORWARD_([A-Z0-9_]+_)?(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT|PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$`)

// warnUnknown warns of DOORWARD_* variables that have no meaning.
func (r *reader) warnUnknown() {
	var links []string
	for _, name := range environNames() {
		switch {
		case r.known(name):
		case serviceLink.MatchString(name):
			links = append(links, name)
		default:
			r.warnings = append(r.warnings, name+": is not known and has no effect"+r.suggestion(name))
		}
	}
	if len(links) > 0 {
		r.warnings = append(r.warnings, fmt.Sprintf(
			"%s: is set by Kubernetes for a Service of that name and has no effect; set enableServiceLinks: false in the pod (%d such variables)",
			links[0], len(links)))
	}
}

// environNames returns the names that were meant for Doorward, sorted.
func environNames() []string {
	var names []string
	for _, entry := range os.Environ() {
		name, _, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(strings.ToUpper(name), prefix+"_") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func (r *reader) known(name string) bool {
	_, known := r.defaults[name]
	return known
}

// suggestion names the known variable that name is most likely meant to be. A
// part that was left out, as in DOORWARD_CLIENT_ID, counts as close.
func (r *reader) suggestion(name string) string {
	const far = 4
	own := strings.TrimPrefix(strings.ToUpper(name), prefix+"_")
	best, closest := far, ""
	for _, v := range r.variables {
		other := strings.TrimPrefix(v.Name, prefix+"_")
		d := distance(own, other)
		if d >= far && len(own) > far && (strings.HasSuffix(other, "_"+own) || strings.HasSuffix(own, "_"+other)) {
			d = far - 1
		}
		if d < best {
			best, closest = d, v.Name
		}
	}
	if closest == "" {
		return ""
	}
	return "; did you mean " + closest + "?"
}

// distance is the number of bytes to insert, delete or replace to make a into b
// (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
