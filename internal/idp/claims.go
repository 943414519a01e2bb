package idp

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// claims are the members of a JSON object under their exact names. Values are
// string, json.Number, bool, nil, []any and map[string]any.
type claims map[string]any

const maxDepth = 32 // of arrays and objects within each other

// parseClaims reads exactly one JSON object. Unlike encoding/json into a struct
// it takes names by their exact bytes, and it refuses a name that occurs twice
// in one object at any depth, so that nobody who reads the same bytes can read
// another value (TOK-4). The error repeats no value.
func parseClaims(data []byte) (claims, error) {
	value, err := parseJSON(data)
	if err != nil {
		return nil, err
	}
	object, ok := value.(map[string]any)
	if !ok {
		return nil, errors.New("not a JSON object")
	}
	return object, nil
}

// parseJSON reads exactly one JSON value, as carefully.
func parseJSON(data []byte) (any, error) {
	if !utf8.Valid(data) {
		return nil, errors.New("not UTF-8")
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	value, err := readValue(dec, 0)
	if err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the value")
	}
	return value, nil
}

func readValue(dec *json.Decoder, depth int) (any, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("nested deeper than %d", maxDepth)
	}
	token, err := dec.Token()
	if err != nil {
		return nil, errors.New("not valid JSON")
	}
	switch token {
	case json.Delim('{'):
		return readObject(dec, depth+1)
	case json.Delim('['):
		return readArray(dec, depth+1)
	}
	return token, nil
}

func readObject(dec *json.Decoder, depth int) (map[string]any, error) {
	object := map[string]any{}
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return nil, errors.New("not valid JSON")
		}
		name, ok := token.(string)
		if !ok {
			return nil, errors.New("not valid JSON")
		}
		if _, twice := object[name]; twice {
			return nil, fmt.Errorf("the name %q occurs twice", cut(name))
		}
		if object[name], err = readValue(dec, depth); err != nil {
			return nil, err
		}
	}
	return object, closeValue(dec)
}

func readArray(dec *json.Decoder, depth int) ([]any, error) {
	array := []any{}
	for dec.More() {
		value, err := readValue(dec, depth)
		if err != nil {
			return nil, err
		}
		array = append(array, value)
	}
	return array, closeValue(dec)
}

func closeValue(dec *json.Decoder) error {
	if _, err := dec.Token(); err != nil {
		return errors.New("not valid JSON")
	}
	return nil
}

// lookup finds the claim that a dotted path names. A member whose own name is
// the whole path wins, then the longest prefix that names an object: so both
// realm_access.roles and "https://example.com/groups" are found. null is absent.
func (c claims) lookup(path string) (any, bool) {
	if value, ok := c[path]; ok {
		return value, value != nil
	}
	for end := strings.LastIndexByte(path, '.'); end > 0; end = strings.LastIndexByte(path[:end], '.') {
		object, ok := c[path[:end]].(map[string]any)
		if !ok {
			continue
		}
		if value, ok := claims(object).lookup(path[end+1:]); ok {
			return value, true
		}
	}
	return nil, false
}

// text returns a member that is a string, and "" for an absent one.
func (c claims) text(name string) (string, error) {
	value, ok := c[name]
	if !ok || value == nil {
		return "", nil
	}
	text, ok := value.(string)
	if !ok {
		return "", fmt.Errorf("%s is not a string", name)
	}
	return text, nil
}

// texts returns a member that is a string or an array of strings (RFC 7519
// 4.1.3), and nil for an absent one.
func (c claims) texts(name string) ([]string, error) {
	value, ok := c[name]
	if !ok || value == nil {
		return nil, nil
	}
	list, ok := stringList(value)
	if !ok {
		return nil, fmt.Errorf("%s is neither a string nor an array of strings", name)
	}
	return list, nil
}

// stringList reads a string or an array of strings.
func stringList(value any) ([]string, bool) {
	switch value := value.(type) {
	case string:
		return []string{value}, true
	case []any:
		list := make([]string, 0, len(value))
		for _, element := range value {
			text, ok := element.(string)
			if !ok {
				return nil, false
			}
			list = append(list, text)
		}
		return list, true
	}
	return nil, false
}

// flag returns a member that is a boolean, and false for any other.
func (c claims) flag(name string) bool {
	value, _ := c[name].(bool)
	return value
}

// endOfTime is the last second of the year 9999, beyond which no date is meant.
const endOfTime = 253402300799

// date returns a NumericDate (RFC 7519 2), fractions included, and the zero time
// for an absent one. A number before 1970 or after 9999 is an error.
func (c claims) date(name string) (time.Time, error) {
	value, ok := c[name]
	if !ok || value == nil {
		return time.Time{}, nil
	}
	number, ok := value.(json.Number)
	if !ok {
		return time.Time{}, fmt.Errorf("%s is not a number", name)
	}
	seconds, err := strconv.ParseFloat(number.String(), 64)
	if err != nil || seconds < 0 || seconds > endOfTime {
		return time.Time{}, fmt.Errorf("%s is out of range", name)
	}
	whole, fraction := math.Modf(seconds)
	return time.Unix(int64(whole), int64(fraction*1e9)), nil
}

// cut shortens a text of the provider for an error or a log line.
func cut(text string) string {
	const limit = 200
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit], "") + "…"
}
