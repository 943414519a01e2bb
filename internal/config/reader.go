package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// reader resolves texts and gathers everything that is wrong with them.
type reader struct {
	variables []Variable
	defaults  map[string]string // of every known name
	mistakes  Mistakes
	warnings  []string
}

// Mistakes are all that is wrong with a configuration, one line each: the name
// of a variable, what is wrong and how to put it right. No line repeats a value.
type Mistakes []string

func (m Mistakes) Error() string { return strings.Join(m, "\n") }

func newReader() *reader {
	r := &reader{variables: Variables(), defaults: map[string]string{}}
	for _, v := range r.variables {
		r.defaults[v.Name] = v.Default
	}
	return r
}

// mistake must never be given a value of the environment: where a secret is
// expected another one may be, and where none is expected there may be one too.
func (r *reader) mistake(name, format string, args ...any) {
	r.mistakes = append(r.mistakes, name+": "+fmt.Sprintf(format, args...))
}

func (r *reader) warn(name, format string, args ...any) {
	r.warnings = append(r.warnings, name+": "+fmt.Sprintf(format, args...))
}

// plain returns the text without white space around it. A variable that is set
// to nothing counts as unset.
func (r *reader) plain(name, text string) string {
	if text = strings.TrimSpace(text); text != "" {
		return text
	}
	return r.defaults[name]
}

// boolean goes on with the default after a mistake, so that it causes no others.
func (r *reader) boolean(name, text string) bool {
	value, err := strconv.ParseBool(r.plain(name, text))
	if err != nil {
		r.mistake(name, "is neither true nor false")
		return r.defaults[name] == "true"
	}
	return value
}

func (r *reader) duration(name, text string, least time.Duration) time.Duration {
	value, err := time.ParseDuration(r.plain(name, text))
	switch {
	case err != nil:
		r.mistake(name, "is not a duration; write for example 90s, 30m or 168h")
	case value < least:
		r.mistake(name, "is too short; it has to be at least %s", least)
	}
	return value
}

// oneOf returns the text when it is among the choices.
func (r *reader) oneOf(name, text string, choices ...string) string {
	text = r.plain(name, text)
	if !slices.Contains(choices, text) {
		r.mistake(name, "has to be %s", strings.Join(choices, " or "))
	}
	return text
}

// list splits a text at its commas. Entries come back trimmed and in order; an
// empty one is a mistake.
func (r *reader) list(name, text string) []string {
	text = r.plain(name, text)
	if text == "" {
		return nil
	}
	entries := strings.Split(text, ",")
	for i := range entries {
		if entries[i] = strings.TrimSpace(entries[i]); entries[i] == "" {
			r.mistake(name, "entry %d is empty; remove a comma", i+1)
		}
	}
	return slices.DeleteFunc(entries, func(e string) bool { return e == "" })
}

// restriction is a list that keeps people out. Set to nothing it is a mistake
// and not a restriction that silently went away (CFG-1).
func (r *reader) restriction(name, text string) []string {
	if setToNothing(name) {
		r.mistake(name, "is set but empty; name who may pass, or unset it")
		return nil
	}
	return r.list(name, text)
}

// setToNothing tells a variable that is set but empty from one that is not set.
func setToNothing(name string) bool {
	text, set := os.LookupEnv(name)
	return set && strings.TrimSpace(text) == ""
}

// maxSecretFile bounds what is read of a secret file, in bytes.
const maxSecretFile = 64 << 10

// secretText returns the secret from the variable or from the file that its
// _FILE twin names; "" when neither is set. It reports false after a mistake.
func (r *reader) secretText(name, text, file string) (string, bool) {
	file = strings.TrimSpace(file)
	if file == "" {
		return text, true
	}
	name += "_FILE"
	if text != "" {
		r.mistake(name, "is set together with %s; unset one of them", strings.TrimSuffix(name, "_FILE"))
		return "", false
	}
	secret, problem := secretFile(file)
	if problem != "" {
		r.mistake(name, "%s", problem)
	}
	return secret, problem == ""
}

// secretFile returns the content of a file without the newline at its end.
func secretFile(path string) (secret, problem string) {
	content, err := readFile(path)
	if err != nil {
		return "", fmt.Sprintf("cannot read %s: %v", shownPath(path), err)
	}
	secret = strings.TrimSuffix(strings.TrimSuffix(string(content), "\n"), "\r")
	if strings.TrimSpace(secret) == "" {
		return "", shownPath(path) + " is empty; write the secret into it"
	}
	return secret, ""
}

// readFile returns an error without the path.
func readFile(path string) ([]byte, error) { return readUpTo(path, maxSecretFile) }

func readUpTo(path string, most int64) ([]byte, error) {
	f, err := os.Open(path) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, reason(err)
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(content)) > most {
		err = fmt.Errorf("the file is larger than %d KiB", most>>10)
	}
	return content, reason(err)
}

func reason(err error) error {
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		return pathErr.Err
	}
	return err
}

// shownPath guards against a secret that was put where its path belongs.
func shownPath(path string) string {
	_, problem := parseKey(path)
	if problem != "" && (strings.HasPrefix(path, "/") || strings.HasPrefix(path, "./") || strings.HasPrefix(path, "../")) {
		return strconv.Quote(path)
	}
	return "the file (its path is not shown, because it might be the secret itself; paths begin with /)"
}
