package deploy

import (
	"errors"
	"strings"
)

// shipped are the identity headers in the files as they are.
var shipped = [...]string{
	"X-Auth-Request-User", "X-Auth-Request-Email", "X-Auth-Request-Preferred-Username", "X-Auth-Request-Name", "X-Auth-Request-Groups",
}

// spellings are how gateways write the name of a header.
var spellings = [...]func(string) string{
	func(name string) string { return name },
	strings.ToLower,
	func(name string) string { return strings.ReplaceAll(strings.ToLower(name), "-", "_") },
}

// identity makes the lists of identity headers name these. A list is one line
// for each header, or one line with all of them between commas; a list begins
// with the user's. A line for a header that the file does not ship is made of the
// line of the user's.
func identity(text string, names []string) (string, error) {
	var out strings.Builder
	var list []string // the lines of the list under way
	found := false
	flush := func() {
		if len(list) > 0 {
			out.WriteString(relist(list, names))
			list, found = nil, true
		}
	}
	inline := strings.Join(shipped[:], ",")
	for line := range strings.Lines(text) {
		header := headerOf(line)
		switch {
		case strings.Contains(line, inline):
			flush()
			found = true
			out.WriteString(strings.Replace(line, inline, strings.Join(names, ","), 1))
		case header == "" || isComment(line):
			flush()
			out.WriteString(line)
		case header == shipped[0]:
			flush()
			list = append(list, line)
		default:
			list = append(list, line)
		}
	}
	flush()
	if !found {
		return "", errors.New("has no list of identity headers")
	}
	return out.String(), nil
}

// headerOf is the shipped header that a line is about, "" for none.
func headerOf(line string) string {
	for _, name := range shipped {
		for _, spell := range spellings {
			if strings.Contains(line, spell(name)) {
				return name
			}
		}
	}
	return ""
}

// relist makes a list name these headers.
func relist(list, names []string) string {
	lines := map[string]string{}
	for _, line := range list {
		lines[headerOf(line)] = line
	}
	var out strings.Builder
	for _, name := range names {
		line, ok := lines[name]
		if !ok {
			line = strings.ReplaceAll(lines[shipped[0]], "$doorward_user", "$doorward_"+spellings[2](name))
			for _, spell := range spellings {
				line = strings.ReplaceAll(line, spell(shipped[0]), spell(name))
			}
		}
		out.WriteString(line)
	}
	return out.String()
}
