package doctor

import (
	"encoding/json"
	"net/http"
	"strings"
)

// echoed are the headers that an answer shows: the members of JSON objects at any
// depth whose values are texts or lists of texts, or else the lines of the form
// "Name: value".
func echoed(body string) http.Header {
	seen := http.Header{}
	var document any
	if json.Unmarshal([]byte(body), &document) == nil {
		collect(document, seen)
		return seen
	}
	for line := range strings.Lines(body) {
		name, value, ok := strings.Cut(line, ":")
		if ok && !strings.ContainsAny(name, " \t<>") {
			seen.Add(name, strings.TrimSpace(value))
		}
	}
	return seen
}

func collect(node any, seen http.Header) {
	switch node := node.(type) {
	case []any:
		for _, child := range node {
			collect(child, seen)
		}
	case map[string]any:
		for name, child := range node {
			switch value := child.(type) {
			case string:
				seen.Add(name, value)
			case []any:
				for _, each := range value {
					if text, ok := each.(string); ok {
						seen.Add(name, text)
					}
				}
			}
			collect(child, seen)
		}
	}
}
